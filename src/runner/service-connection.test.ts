import { describe, expect, test } from "bun:test";
import { windowBytes } from "../link/body.ts";
import { FunctionTrial, type HeardCall } from "./function-trial.ts";
import { ServiceTrial } from "./service-trial.ts";

/** A daemon of raw sockets: what it does with a connection, whose first line says what is wanted. */
const rawDaemon = `
  const net = require("node:net");
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => console.log("error"));
    socket.on("close", () => console.log("closed"));
    socket.once("data", (first) => {
      const [want, rest] = [first.subarray(0, first.indexOf(10)).toString(), first.subarray(first.indexOf(10) + 1)];
      switch (want) {
        case "echo": if (rest.length > 0) socket.write(rest); return socket.pipe(socket);
        case "count": {
          let count = rest.length;
          socket.on("data", (more) => (count += more.length));
          return socket.on("end", () => socket.end(String(count)));
        }
        case "flood": {
          let written = 0;
          const write = () => { while (written < 8 << 20) { written += 65536; if (!socket.write(Buffer.alloc(65536, 1))) return; } socket.end(); };
          socket.on("drain", write);
          return write();
        }
        case "hold": socket.pause(); process.once("SIGUSR2", () => { let count = 0; socket.on("data", (more) => (count += more.length)); socket.on("end", () => socket.end(String(count))); socket.resume(); }); return void console.log("holding");
        case "end": socket.end("bye"); return socket.on("data", (more) => console.log("heard " + more));
        case "break": socket.write("half"); return setTimeout(() => socket.resetAndDestroy(), 20);
      }
    });
  });
  server.listen(Number(process.env.PORT), process.env.HOST);
  console.log("pid " + process.pid);
`;
/** Takes no connection any more once it has heard something. */
const shortDaemon = `
  const stop = () => { server.stop(true); console.log("deaf"); };
  const server = Bun.listen({ hostname: process.env.HOST, port: Number(process.env.PORT), socket: { data: stop } });
  setInterval(() => {}, 60_000);
`;
const health = { everyMs: 60_000, timeoutMs: 2000, failuresMax: 3 };
const raw = (): Promise<ServiceTrial> => ServiceTrial.open({ script: rawDaemon, spec: { health } });

/** Writes the whole, in turn with what the runner grants. */
async function writeAll(call: HeardCall, bytes: Uint8Array, last: boolean): Promise<void> {
  const written = Promise.withResolvers<void>();
  call.outgoing.onWritable = () => written.resolve();
  if (!call.outgoing.write(bytes, last)) await written.promise;
}

describe("a connection to the daemon", () => {
  test("is a request and its answer, as any client's", async () => {
    await using service = await ServiceTrial.open({});
    const call = service.connect("GET /over-the-link HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    await call.over.promise;
    expect(call.text).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(call.text).toEndWith("\r\n\r\n/over-the-link");
  });

  test("is told to be there as soon as the daemon takes it, before either side says anything", async () => {
    await using service = await raw();
    const call = service.connect();
    await service.trial.until(() => call.chunks.length > 0);
    expect(call.chunks).toEqual([Buffer.alloc(0)]);
    service.trial.reset(call);
  });

  test("carries bytes both ways, whole and in order", async () => {
    await using service = await raw();
    const bytes = crypto.getRandomValues(new Uint8Array(65_536));
    const sent = Buffer.concat(Array.from({ length: 64 }, () => bytes));
    const call = service.connect("echo\n");
    await writeAll(call, sent, true);
    await call.over.promise;
    expect(Buffer.compare(Buffer.concat(call.chunks), sent)).toBe(0);
  });

  test("may be half-closed by the host, and the answer still comes", async () => {
    await using service = await raw();
    const call = service.connect("count\nfive!", true);
    await call.over.promise;
    expect(call.text).toBe("5");
  });

  test("may be half-closed by the daemon, which still hears", async () => {
    await using service = await raw();
    const call = service.connect("end\n");
    await call.over.promise;
    expect(call).toMatchObject({ text: "bye", ended: true });
    await writeAll(call, Buffer.from("still there"), true);
    await service.trial.until(() => service.lines.includes("closed"));
    expect(service.lines).toContain("heard still there");
  });

  test("is read no faster than the host takes", async () => {
    await using service = await raw();
    const call = service.connect("flood\n");
    call.grants = false;
    await new Promise<void>((resolve) => (call.onData = () => call.bytes === windowBytes && resolve()));
    await service.trial.ping();
    expect(call.bytes).toBe(windowBytes);
    call.grants = true;
    call.credit.consumed(windowBytes);
    await call.over.promise;
    expect(call.bytes).toBe(8 << 20);
  });

  test("is written no faster than the daemon takes", async () => {
    await using service = await raw();
    const call = service.connect("hold\n");
    await service.trial.until(() => service.lines.includes("holding"));
    const bytes = 32 << 20;
    const written = writeAll(call, Buffer.alloc(bytes), true);
    await service.trial.ping();
    // What the kernel's buffers hold counts as taken; the rest has to wait.
    expect(call.granted).toBeLessThan(bytes / 2);
    process.kill(Number(service.lines.find((line) => line.startsWith("pid "))?.slice(4)), "SIGUSR2");
    await written;
    await call.over.promise;
    expect(call.text).toBe(`${bytes}`);
  });

  test("that the daemon breaks off is told so, behind what came of it", async () => {
    await using service = await raw();
    const call = service.connect("break\n");
    await call.over.promise;
    expect(call.text).toBe("half");
    expect(call.resetHead).toEqual({ reason: "reply-aborted", detail: "The service broke off a connection (ECONNRESET)" });
  });

  test("that the host gives up is closed", async () => {
    await using service = await raw();
    const call = service.connect("echo\nhere");
    await service.trial.until(() => call.text === "here");
    service.trial.reset(call);
    await service.trial.until(() => service.lines.includes("closed"));
    await service.trial.ping();
    expect(call.resetHead).toBeUndefined();
  });

  test("that the daemon does not take is told so, and nothing of it came", async () => {
    await using service = await ServiceTrial.open({ script: shortDaemon, spec: { health } });
    service.connect("stop\n");
    await service.trial.until(() => service.lines.includes("deaf"));
    const call = service.connect("echo\n");
    await call.over.promise;
    expect(call.resetHead).toEqual({ reason: "no-reply", detail: "It takes no connection (ECONNREFUSED)" });
    expect(call.text).toBe("");
  });

  test("is one of many", async () => {
    await using service = await raw();
    const calls = Array.from({ length: 200 }, (_, at) => service.connect(`count\n${"x".repeat(at)}`, true));
    await Promise.all(calls.map((call) => call.over.promise));
    expect(calls.map(({ text }) => Number(text))).toEqual(calls.map((_, at) => at));
  });
});

test("a connection to no daemon is refused", async () => {
  await using trial = await FunctionTrial.open("export const hello = () => 1;");
  const call = trial.connectService("x");
  await call.over.promise;
  expect(call.resetHead).toEqual({ reason: "no-reply", detail: "This instance has no service" });
});

test("and so is one to a daemon that is not ready", async () => {
  const { service, loaded } = await ServiceTrial.begin({ script: "setInterval(() => {}, 1000); console.log('here');" });
  await service.trial.until(() => service.lines.includes("here"));
  const call = service.connect("x");
  await call.over.promise;
  expect(call.resetHead).toEqual({ reason: "no-reply", detail: "It is not ready" });
  await service[Symbol.asyncDispose]();
  expect((await loaded).ok).toBe(false);
});

/** Listeners of a whole host: functions that answer lines over TCP, IPv6 and unix sockets, through instances, reloads and ends. */
import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { lineAddresses, lineClient } from "./line-client.ts";
import { servedApp } from "./served-app.ts";
import { serve } from "./serving.ts";

const source = `
import { HttpError, type LineHandler } from "urocket";

export const answer: LineHandler = async (line, ctx) => {
  if (line === "throw") throw new Error("thrown on purpose");
  if (line === "refuse") throw new HttpError(422, "this is refused");
  if (line === "log") ctx.log.info("a line was logged", { line });
  if (line === "never") await new Promise(() => {});
  if (line === "die") process.kill(process.pid, "SIGKILL");
  if (line === "spin") for (;;);
  if (line.startsWith("wait ")) await Bun.sleep(Number(line.slice(5)));
  if (line === "help") return "first\\nsecond";
  return "version 1: " + line;
};
export const echo: LineHandler = (line) => line;
`;

const service = `
name: lines
timeout: 20s
listeners:
  - { tcp: 0, function: src/lines.ts#answer, timeout: 2s, line: 1Ki }
  - { tcp: "[::1]:0", function: src/lines.ts#echo }
  - { unix: lines.sock, function: src/lines.ts#echo, max-connections: 1 }
`;

const lines = (): AppFolder => appOf({ "urocket-service.yaml": service, "src/lines.ts": source });

describe("A listener of a host", () => {
  const host = servedApp(lines);
  const onTcp = async (): ReturnType<typeof lineClient> => await lineClient(lineAddresses(host).find((at) => at.includes("127.0.0.1")));
  const onIpv6 = async (): ReturnType<typeof lineClient> => await lineClient(lineAddresses(host).find((at) => at.includes("[::1]")));
  const onUnix = async (): ReturnType<typeof lineClient> => await lineClient(lineAddresses(host).find((at) => at.startsWith("unix:")));

  test("answers line by line, in order, though some take longer", async () => {
    await using client = await onTcp();
    client.end("a\nwait 50\n\nb\r\nc");
    expect(await client.all()).toBe("version 1: a\nversion 1: wait 50\nversion 1: \nversion 1: b\nversion 1: c\n");
  });

  test("answers over IPv6 and a unix socket, of which nobody else may take a place", async () => {
    await using six = await onIpv6();
    six.end("over IPv6\n");
    expect(await six.all()).toBe("over IPv6\n");
    await using unix = await onUnix();
    unix.write("over unix\n");
    expect(await unix.lines(1)).toEqual(["over unix"]);
    await using second = await onUnix();
    expect(await second.all()).toBe("Err: 1 connections are open, the limit of this listener; try again later\n");
    await host.said(/refused a client: 1 connections were open/);
  });

  test("says Err where a function throws, and goes on", async () => {
    await using client = await onTcp();
    client.end("throw\nrefuse\nhelp\nx\n");
    expect(await client.all()).toBe("Err: The function failed\nErr: this is refused\nfirst\nsecond\nversion 1: x\n");
    await host.logged("the stack", (line) => line["type"] === "output" && String(line["text"]).includes("thrown on purpose"));
  });

  test("logs what the function logs", async () => {
    await using client = await onTcp();
    client.end("log\n");
    await client.all();
    const logged = await host.logged("the line", (line) => line["type"] === "output" && line["text"] === "a line was logged");
    const connection = await host.logged("the connection", (line) => line["connectionId"] === logged["requestId"]);
    expect(connection).toMatchObject({ type: "connection", app: "lines", listener: "tcp:0", lines: 1, bytesIn: 4 });
  });

  test("ends a connection whose line is not answered in time, naming the deadline", async () => {
    await using client = await onTcp();
    client.write("a\nnever\nb\n");
    expect(await client.all()).toBe("version 1: a\nErr: no answer within 2s, the deadline of a line\n");
  });

  test("says that an instance died, and the next line has another", async () => {
    await using client = await onTcp();
    client.write("a\n");
    await client.lines(1);
    client.write("die\n");
    const text = await client.all();
    expect(text).toStartWith("version 1: a\nErr: ");
    expect(text.split("\n").length).toBe(3);
    await using next = await onTcp();
    next.end("b\n");
    expect(await next.all()).toBe("version 1: b\n");
  });

  test("replaces an instance that spins, and others are served meanwhile", async () => {
    await using spinning = await onTcp();
    spinning.write("spin\n");
    await using other = await onTcp();
    other.write("x\n");
    expect(await spinning.all()).toStartWith("Err: ");
    await using next = await onTcp();
    next.end("b\n");
    expect(await next.all()).toBe("version 1: b\n");
  }, 30_000);

  test("refuses a line that is too long behind the answers of those before", async () => {
    await using client = await onTcp();
    client.write(`a\n${"x".repeat(100_000)}`);
    expect(await client.all()).toBe("version 1: a\nErr: a line is longer than 1Ki, the limit of a line\n");
  });

  test("serves 1 000 connections of 100 pipelined lines each, in order", async () => {
    const address = lineAddresses(host).find((at) => at.includes("[::1]"));
    const numbers = Array.from({ length: 1_000 }, (_, n) => n);
    const clients = await Promise.all(numbers.map(() => lineClient(address)));
    clients.forEach((client, n) => client.end(Array.from({ length: 100 }, (_, line) => `${n}.${line}\n`).join("")));
    await Promise.all(
      clients.map(async (client, n) => {
        expect(await client.all()).toBe(Array.from({ length: 100 }, (_, line) => `${n}.${line}\n`).join(""));
        await client[Symbol.asyncDispose]();
      }),
    );
  }, 60_000);
});

test("A reload keeps connections: the next line is the new version's", async () => {
  using app = lines();
  await using host = await serve(app.folder);
  await using client = await lineClient(lineAddresses(host)[0]);
  client.write("a\nwait 300\n");
  expect(await client.lines(1)).toEqual(["version 1: a"]);
  app.write("src/lines.ts", source.replace("version 1", "version 2"));
  host.signal("SIGHUP");
  await host.said(/lines: reloaded/);
  client.write("b\n");
  expect(await client.lines(3)).toEqual(["version 1: a", "version 1: wait 300", "version 2: b"]);
}, 30_000);

test("A host that stops answers the lines that it was sent, closes silent connections and removes its socket", async () => {
  using app = lines();
  await using host = await serve(app.folder);
  const [tcp, , unix] = lineAddresses(host);
  await using silent = await lineClient(tcp);
  await using busy = await lineClient(tcp);
  busy.write("a\nwait 500\n");
  expect(await busy.lines(1)).toEqual(["version 1: a"]);
  host.signal("SIGTERM");
  expect(await silent.all()).toBe("");
  expect(await busy.all()).toBe("version 1: a\nversion 1: wait 500\n");
  expect(await host.exited).toBe(0);
  expect(unix).toBe(`unix:${app.path("lines.sock")}`);
  await eventually("its socket is gone", () => !existsSync(app.path("lines.sock")));
});

test("A connection that is silent keeps no instance, before its first line and after its last", async () => {
  using app = appOf({
    "urocket-service.yaml": "name: lines\nscale: { min: 0, idle: 1s }\nlisteners: [{ tcp: 0, function: src/lines.ts#echo }]\n",
    "src/lines.ts": source,
  });
  await using host = await serve(app.folder, { flags: ["--spares", "0"] });
  await using client = await lineClient(lineAddresses(host)[0]);
  await eventually("the instance of the start has ended", () => host.runners().length === 0);
  client.write("a\n");
  await client.lines(1);
  await eventually("its instance has ended", () => host.runners().length === 0);
  client.write("b\n");
  expect(await client.lines(2)).toEqual(["a", "b"]);
}, 30_000);

/** An app's own daemon behind the gateway: who gets what, what passes through, and what is lost when one dies. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { continueIfThere } from "./process-tree.ts";
import { connectRaw, sendRaw } from "./raw-http.ts";
import { type Serving, serve, serveInVain, startRequest } from "./serving.ts";

/** Answers with its pid, slowly where asked to; streams; echoes over WebSocket. */
const daemon = `
let open = 0;
const server = Bun.serve({
  hostname: process.env.HOST,
  port: Number(process.env.PORT),
  idleTimeout: 0,
  async fetch(request, server) {
    const url = new URL(request.url);
    if (url.pathname === "/healthz") return new Response("ok");
    if (url.pathname === "/pid") return new Response(String(process.pid));
    if (url.pathname === "/headers") return Response.json([...request.headers]);
    if (url.pathname === "/echo") return new Response(request.body, { headers: { "content-type": "application/octet-stream" } });
    if (url.pathname === "/slow") { await Bun.sleep(Number(url.searchParams.get("ms"))); return new Response("slow"); }
    if (url.pathname === "/die") process.exit(3);
    if (url.pathname === "/ws") return server.upgrade(request) ? undefined : new Response("no", { status: 400 });
    if (url.pathname === "/events") {
      return new Response(async function* () {
        for (let event = 0; ; event++) { yield \`data: \${event}\\n\\n\`; await Bun.sleep(20); }
      }, { headers: { "content-type": "text/event-stream" } });
    }
    return new Response("not here", { status: 404 });
  },
  websocket: { message: (ws, message) => void ws.send(message) },
});
process.on("SIGTERM", () => server.stop(true).then(() => process.exit(0)));
`;

const service = (more = ""): string => `
balance: round-robin
scale: { min: 3, max: 3 }
service: { cmd: bun daemon.ts, health: /healthz }
${more}`;

const instanceOf = (response: Response): string => response.headers.get("x-urocket-instance") ?? "";

async function allThree(host: Serving): Promise<void> {
  await eventually("all three answer", async () => {
    const asked = await Promise.all([1, 2, 3, 4, 5, 6].map(async () => instanceOf(await fetch(`${host.url}/pid`))));
    return new Set(asked).size === 3;
  });
}

/** How many of the answers came from each instance. */
async function shares(host: Serving, requests: number): Promise<readonly number[]> {
  const counts = new Map<string, number>();
  await Promise.all(
    Array.from({ length: requests }, async () => {
      const response = await fetch(`${host.url}/pid`);
      expect(response.status).toBe(200);
      await response.text();
      counts.set(instanceOf(response), (counts.get(instanceOf(response)) ?? 0) + 1);
    }),
  );
  return [...counts.values()].toSorted((a, b) => a - b);
}

describe("three instances of a daemon", () => {
  test("answer strictly in turn, evenly under load, and stay even when one dies and is replaced", async () => {
    using app = appOf({ "urocket-service.yaml": service(), "daemon.ts": daemon });
    await using host = await serve(app.folder);
    await allThree(host);
    const turns: string[] = [];
    for (let turn = 0; turn < 9; turn++) turns.push(await (await fetch(`${host.url}/pid`)).text());
    expect(new Set(turns.slice(0, 3)).size).toBe(3);
    expect(turns).toEqual([...turns.slice(0, 3), ...turns.slice(0, 3), ...turns.slice(0, 3)]);
    const even = await shares(host, 900);
    expect(even).toHaveLength(3);
    expect((even.at(-1) ?? 0) - (even[0] ?? 0)).toBeLessThanOrEqual(1);

    process.kill(Number(turns[0]), "SIGKILL");
    await host.logged("its end", (line) => line["event"] === "instance-died");
    await allThree(host);
    const again = await shares(host, 900);
    expect(again).toHaveLength(3);
    expect((again.at(-1) ?? 0) - (again[0] ?? 0)).toBeLessThanOrEqual(1);
  });

  test("share ten thousand requests that come at once to the last one", async () => {
    using app = appOf({
      "urocket-service.yaml": service().replace("max: 3 }", "max: 3, concurrency: 4096 }"),
      "daemon.ts": daemon,
    });
    await using host = await serve(app.folder, { flags: ["--requests", "failed"] });
    await allThree(host);
    const counts = await askAtOnce(host.port, 10_000);
    expect([...counts.values()].toSorted((a, b) => a - b)).toEqual([3333, 3333, 3334]);
  }, 60_000);
});

/** Asks over so many connections at once, and counts by what is answered. */
async function askAtOnce(port: number, connections: number): Promise<ReadonlyMap<string, number>> {
  const counts = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  let open = 0;
  const ask = async (): Promise<void> => {
    const { promise, resolve, reject } = Promise.withResolvers<string>();
    let received = "";
    const socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      socket: {
        data: (_, chunk) => void (received += chunk.toString("latin1")),
        close: () => resolve(received),
        error: (_, error) => reject(error),
      },
    });
    if (++open === connections) all.resolve();
    await all.promise;
    socket.write("GET /pid HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const [head = "", body = ""] = (await promise).split("\r\n\r\n");
    const answer = head.startsWith("HTTP/1.1 200 ") ? body : head;
    counts.set(answer, (counts.get(answer) ?? 0) + 1);
  };
  await Promise.all(Array.from({ length: connections }, ask));
  return counts;
}

describe("a daemon", () => {
  test("gets what the client sent, with who it is and where it came from, and without what is the connection's own", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder);
    const response = await sendRaw(
      host.port,
      "GET /headers HTTP/1.1\r\nHost: shop.example\r\nX-Own: 1\r\nConnection: x-hop\r\nX-Hop: 2\r\nX-Forwarded-For: 6.6.6.6\r\nTE: gzip\r\n\r\n",
    );
    const headers = new Map(JSON.parse(response?.body ?? "[]") as [string, string][]);
    expect(headers.get("host")).toBe("shop.example");
    expect(headers.get("x-own")).toBe("1");
    expect(headers.get("x-forwarded-for")).toBe("127.0.0.1");
    expect(headers.get("x-forwarded-proto")).toBe("http");
    expect(headers.get("forwarded")).toContain("for=127.0.0.1");
    expect(headers.get("x-request-id")).toBe(response?.headers.get("x-request-id") ?? "none");
    expect([headers.has("x-hop"), headers.has("te")]).toEqual([false, false]);
  });

  test("gets bodies of any size as they come, and streams its answers", async () => {
    using app = appOf({ "urocket-service.yaml": "limits: { body: 64Mi }\nservice: { cmd: bun daemon.ts }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder);
    const sent = crypto.getRandomValues(new Uint8Array(65_536));
    const whole = new Uint8Array(8 * 2 ** 20);
    for (let at = 0; at < whole.length; at += sent.length) whole.set(sent, at);
    const response = await fetch(`${host.url}/echo`, { method: "POST", body: whole });
    expect(Bun.hash(await response.arrayBuffer())).toBe(Bun.hash(whole));
  });

  test("talks over WebSocket, and is drained before it is stopped", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder, { flags: ["--grace", "1s"] });
    const socket = new WebSocket(`${host.url.replace("http", "ws")}/ws`);
    const heard: string[] = [];
    socket.onmessage = ({ data }) => heard.push(String(data));
    await new Promise((resolve) => (socket.onopen = resolve));
    for (let message = 0; message < 100; message++) socket.send(`${message}`);
    await eventually("all came back", () => heard.length === 100);
    expect(heard).toEqual(Array.from({ length: 100 }, (_, message) => `${message}`));
    const closed = new Promise((resolve) => (socket.onclose = resolve));
    host.signal("SIGTERM");
    await host.said(/drain/i);
    socket.send("still");
    await eventually("it is answered while draining", () => heard.at(-1) === "still");
    await closed;
    expect(await host.exited).toBe(0);
  });

  test("streams events as they happen, and a client that leaves ends nothing else", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder);
    using client = await connectRaw(host.port);
    client.send("GET /events HTTP/1.1\r\nHost: x\r\n\r\n");
    const leaving = new AbortController();
    const events = await fetch(`${host.url}/events`, { signal: leaving.signal });
    const reader = (events.body ?? new ReadableStream()).getReader();
    let text = "";
    while (!text.includes("data: 10\n")) text += new TextDecoder().decode((await reader.read()).value);
    leaving.abort();
    await host.logged("that the client left", (line) => line["type"] === "exchange" && line["status"] === 499);
    expect((await fetch(`${host.url}/pid`)).status).toBe(200);
  });

  test("that falls silent in the midst of a stream, or with its client on a WebSocket, is cut off after service.idle", async () => {
    const silent = `
Bun.serve({
  hostname: process.env.HOST,
  port: Number(process.env.PORT),
  idleTimeout: 0,
  fetch(request, server) {
    if (new URL(request.url).pathname === "/ws") return server.upgrade(request) ? undefined : new Response("no", { status: 400 });
    return new Response(async function* () { yield "one word"; await new Promise(() => {}); });
  },
  websocket: { message() {}, idleTimeout: 0 },
});
`;
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts, idle: 500ms }\n", "daemon.ts": silent });
    await using host = await serve(app.folder);
    const stream = fetch(`${host.url}/stream`).then((response) => response.text());
    await expect(stream).rejects.toThrow();
    const socket = new WebSocket(host.url.replace("http", "ws") + "/ws");
    const closed = Promise.withResolvers<void>();
    socket.addEventListener("close", () => closed.resolve());
    await closed.promise;
    const cut = (path: string) => host.logged(`the end of ${path}`, (line) => line["type"] === "exchange" && line["path"] === path);
    expect(await cut("/stream")).toMatchObject({ status: 200, error: "deadline" });
    expect(await cut("/ws")).toMatchObject({ status: 101, error: "deadline" });
  }, 30_000);

  test("that is replaced goes on with the streams and WebSockets that it has, and ends when they do", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder);
    const old = Number(await (await fetch(`${host.url}/pid`)).text());
    const leaving = new AbortController();
    const events = (await fetch(`${host.url}/events`, { signal: leaving.signal })).body?.getReader();
    const socket = new WebSocket(`${host.url.replace("http", "ws")}/ws`);
    const heard: string[] = [];
    socket.onmessage = ({ data }) => heard.push(String(data));
    await new Promise((resolve) => (socket.onopen = resolve));

    app.write("daemon.ts", `${daemon}// anew\n`);
    host.signal("SIGHUP");
    await eventually("a new one answers", async () => Number(await (await fetch(`${host.url}/pid`)).text()) !== old);
    for (let event = 0; event < 20; event++) expect((await events?.read())?.done).toBe(false);
    socket.send("still");
    await eventually("it still echoes", () => heard.at(-1) === "still");
    expect(host.processes().some(({ pid }) => pid === old)).toBe(true);

    leaving.abort();
    socket.close();
    await eventually("it is gone", () => !host.processes().some(({ pid }) => pid === old));
    expect(host.log.filter(({ event }) => event === "instance-died")).toEqual([]);
  });

  test("that dies costs what it was doing, and a safe request not even that", async () => {
    using app = appOf({
      "urocket-service.yaml": "scale: { min: 2, max: 2 }\nservice: { cmd: bun daemon.ts }\n",
      "daemon.ts": daemon,
    });
    await using host = await serve(app.folder);
    const died = await fetch(`${host.url}/die`, { method: "POST" });
    expect([died.status, died.headers.get("content-type")]).toEqual([502, "application/problem+json"]);
    expect((await fetch(`${host.url}/pid`)).status).toBe(200);
  });

  test("that is too slow is answered for, naming what was waited for", async () => {
    using app = appOf({ "urocket-service.yaml": "service: { cmd: bun daemon.ts, timeout: 100ms }\n", "daemon.ts": daemon });
    await using host = await serve(app.folder);
    const response = await startRequest(host, "/slow?ms=60000");
    expect(response.status).toBe(504);
    expect(await response.text()).toContain("100 ms");
  });

  test("that is stopped, and has no health path, is left out after five requests and replaced", async () => {
    using app = appOf({
      "urocket-service.yaml":
        "timeout: 500ms\nbalance: round-robin\nscale: { min: 2, max: 2 }\nservice: { cmd: bun daemon.ts, health: { timeout: 250ms } }\n",
      "daemon.ts": daemon,
    });
    await using host = await serve(app.folder);
    const ask = async (): Promise<Response> => await fetch(`${host.url}/pid`, { method: "POST" });
    await eventually("both answer", async () => instanceOf(await ask()) !== instanceOf(await ask()));
    const stopped = Number(await eventually("one tells who it is", async () => /^\d+$/.exec(await (await ask()).text())?.[0]));
    process.kill(stopped, "SIGSTOP");
    try {
      const statuses: number[] = [];
      await eventually("another is there in its place", async () => {
        statuses.push((await ask()).status);
        return host.log.some(({ event, message }) => event === "service-failing" && String(message).includes("OPTIONS *"));
      });
      expect(statuses.filter((status) => status === 504).length).toBeGreaterThanOrEqual(5);
      const answering = new Set<string>();
      await eventually("two answer again", async () => {
        const response = await ask();
        if (response.status === 200) answering.add(await response.text());
        return answering.size === 2;
      });
      expect(answering.has(String(stopped))).toBe(false);
    } finally {
      continueIfThere(stopped);
    }
    await host.logged("its end", ({ event }) => event === "instance-stopped");
  });

  test("that listens elsewhere is refused at the start, with where it does", async () => {
    using app = appOf({
      "urocket-service.yaml": "service: { cmd: bun daemon.ts, start: 1s }\n",
      "daemon.ts": "Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: () => new Response('x') });",
    });
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).not.toBe(0);
    expect(stderr).toMatch(/PORT/);
    expect(stderr).toMatch(/127\.0\.0\.1:\d+/);
  });
});

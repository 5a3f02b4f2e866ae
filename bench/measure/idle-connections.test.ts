import { expect, test } from "bun:test";
import type { StartedProcess } from "../process/ground.ts";
import { measureIdleConnections } from "./idle-connections.ts";
import type { ServerSystem } from "./server.ts";

const question = { path: "/hello", body: "hello\n" };

/** This process as a server. */
function systemAt(port: number): ServerSystem {
  const itself: StartedProcess = { pid: process.pid, exited: new Promise(() => undefined), complaint: () => "" };
  return {
    name: "x",
    kind: "subject",
    server: () => Promise.resolve({ port, processes: [itself] }),
    measure: () => Promise.reject(new Error("not asked for")),
  };
}

test("every connection is answered once and then left open", async () => {
  let asked = 0;
  await using server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => (asked++, new Response("hello\n")) });
  const report = await measureIdleConnections(systemAt(server.port ?? 0), 300, question);
  expect(report.faults).toEqual([]);
  expect(asked).toBeGreaterThanOrEqual(300);
  expect(report.during.rssBytes).toBeGreaterThan(0);
});

test("connections that the server closes while they are idle are faults", async () => {
  let answered = 0;
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello\n");
        if (++answered === 4) socket.end();
      },
    },
  });
  expect((await measureIdleConnections(systemAt(server.port), 5, question)).faults).toEqual(["1 connections closed by the server"]);
});

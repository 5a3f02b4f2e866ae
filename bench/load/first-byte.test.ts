/** What counts as a first answered byte: only one of an answer that is right to its end. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "urocket-first-byte-test-"));
const client = join(folder, "first-byte");
const compiler = Bun.which("gcc");

beforeAll(async () => {
  if (compiler === null) return;
  expect(await Bun.spawn([compiler, "-O1", "-o", client, join(import.meta.dir, "first-byte.c")]).exited).toBe(0);
}, 30_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly right: boolean;
  readonly firstByteUs: number;
}

async function run(...flags: readonly string[]): Promise<Report> {
  const output = await Bun.spawn([client, "--body", "hello\n", ...flags], { stdin: new TextEncoder().encode("go\n") }).stdout.text();
  return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Report;
}

function asking(port: number): Promise<Report> {
  return run("--port", String(port), "--path", "/hello");
}

describe.skipIf(compiler === null)("the first-byte client", () => {
  test("times the right answer of a server, however many pieces it comes in", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket) {
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel");
          setImmediate(() => socket.write("lo\n"));
        },
      },
    });
    const report = await asking(server.port);
    expect(report.right).toBe(true);
    expect(report.firstByteUs).toBeGreaterThan(0);
  });

  test("does not take an error, another body, or half of one for right", async () => {
    for (const answer of [
      "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 6\r\n\r\nhello\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhullo\n",
      "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel",
      "",
    ]) {
      using server = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.end(answer) } });
      expect((await asking(server.port)).right).toBe(false);
    }
  });

  test("times a program that prints the answer", async () => {
    const report = await run("--", "printf", "hello\\n");
    expect(report.right).toBe(true);
    expect(report.firstByteUs).toBeGreaterThan(0);
  });

  test("does not take a failing program for right", async () => {
    expect((await run("--", "sh", "-c", "echo hello; exit 1")).right).toBe(false);
  });
});

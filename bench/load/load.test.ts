/** The load client decides who is disqualified, so its own judgement is tested, against servers that misbehave. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "urocket-load-test-"));
const client = join(folder, "load");
const compiler = Bun.which("gcc");

interface Report {
  readonly accepted: { readonly count: number; readonly p50Us: number; readonly p99Us: number };
  readonly refused: { readonly count: number };
  readonly answered: number;
  readonly wrong: number;
  readonly firstWrong: string;
  readonly closedUnanswered: number;
  readonly notSent: number;
  readonly unanswered: number;
}

beforeAll(async () => {
  if (compiler === null) return;
  const compile = Bun.spawn([compiler, "-O1", "-o", client, join(import.meta.dir, "load.c")]);
  expect(await compile.exited).toBe(0);
}, 30_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function load(port: number, ...flags: readonly string[]): Promise<Report> {
  const argv = [
    client,
    "--port",
    String(port),
    "--path",
    "/x",
    "--seconds",
    "0.2",
    "--warm-up",
    "0",
    "--connections",
    "2",
    "--body",
    "hello\n",
    ...flags,
  ];
  return JSON.parse(await Bun.spawn(argv).stdout.text()) as Report;
}

function serving(fetch: () => Response | Promise<Response>) {
  return Bun.serve({ hostname: "127.0.0.1", port: 0, fetch });
}

/** A server that writes these bytes for every request, and closes then if told. */
function writing(bytes: string, close = false) {
  return Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket) {
        socket.write(bytes);
        if (close) socket.end();
      },
    },
  });
}

describe.skipIf(compiler === null)("the load client", () => {
  test("counts right answers", async () => {
    await using server = serving(() => new Response("hello\n"));
    const report = await load(server.port ?? 0);
    expect(report.accepted.count).toBeGreaterThan(0);
    expect(report.answered).toBeGreaterThanOrEqual(report.accepted.count);
    expect(report).toMatchObject({ wrong: 0, closedUnanswered: 0, unanswered: 0 });
  });

  test("reads chunked answers, in as many pieces as they come", async () => {
    using server = writing("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n4\r\nllo\n\r\n0\r\n\r\n");
    const report = await load(server.port);
    expect(report.accepted.count).toBeGreaterThan(0);
    expect(report.wrong).toBe(0);
  });

  test("reads answers that end with the connection", async () => {
    using server = writing("HTTP/1.0 200 OK\r\n\r\nhello\n", true);
    const report = await load(server.port);
    expect(report.accepted.count).toBeGreaterThan(0);
    expect(report).toMatchObject({ wrong: 0, closedUnanswered: 0 });
  });

  test("counts another body as wrong and shows the first", async () => {
    await using server = serving(() => new Response("hullo\n"));
    const report = await load(server.port ?? 0);
    expect(report.accepted.count).toBe(0);
    expect(report.wrong).toBeGreaterThan(0);
    expect(report.firstWrong).toContain("hullo");
  });

  test("counts a body that is cut short as closed unanswered", async () => {
    using server = writing("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhel", true);
    const report = await load(server.port);
    expect(report.accepted.count).toBe(0);
    expect(report.closedUnanswered).toBeGreaterThan(0);
  });

  test("counts a status that is not a refusal as wrong", async () => {
    await using server = serving(() => new Response("hello\n", { status: 502 }));
    expect((await load(server.port ?? 0)).wrong).toBeGreaterThan(0);
  });

  test("counts refusals on their own", async () => {
    await using server = serving(() => new Response("", { status: 503 }));
    const report = await load(server.port ?? 0, "--refusal", "503");
    expect(report.refused.count).toBeGreaterThan(0);
    expect(report.wrong).toBe(0);
  });

  test("in an open loop says what it could not send for want of connections", async () => {
    const { promise, resolve } = Promise.withResolvers<Response>();
    const server = serving(() => promise.then(() => new Response("hello\n")));
    const running = load(server.port ?? 0, "--rate", "200");
    const answer = setTimeout(() => resolve(new Response()), 400);
    const report = await running;
    clearTimeout(answer);
    await server.stop(true);
    expect(report.notSent).toBeGreaterThan(0);
    expect(report.unanswered).toBe(0);
  });

  test("asks exactly as often as told", async () => {
    let asked = 0;
    await using server = serving(() => (asked++, new Response("hello\n")));
    const report = await load(server.port ?? 0, "--requests", "25", "--seconds", "20");
    expect(asked).toBe(25);
    expect(report.accepted.count).toBe(25);
  });

  test("refuses unknown options", async () => {
    const child = Bun.spawn([client, "--fast", "1"], { stderr: "pipe" });
    expect(await child.exited).toBe(2);
    expect(await child.stderr.text()).toContain("--fast");
  });
});

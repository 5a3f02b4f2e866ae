/** The client of line services decides who is disqualified, so its own judgement is tested, against servers that misbehave. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const folder = mkdtempSync(join(tmpdir(), "urocket-lines-test-"));
const client = join(folder, "lines");
const server = join(folder, "fib-server");
const compiler = Bun.which("gcc");

interface Report {
  readonly accepted: { readonly count: number };
  readonly answered: number;
  readonly wrong: number;
  readonly firstWrong: string;
  readonly closedUnanswered: number;
  readonly connectFailures: number;
  readonly unanswered: number;
}

beforeAll(async () => {
  if (compiler === null) return;
  const sources = [
    [client, "lines.c"],
    [server, "../peers/fib-server.c"],
  ] as const;
  for (const [program, source] of sources)
    expect(await Bun.spawn([compiler, "-O1", "-o", program, join(import.meta.dir, source)]).exited).toBe(0);
}, 30_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function lines(port: number, ...flags: readonly string[]): Promise<Report> {
  const times = ["--seconds", "0.1", "--warm-up", "0", "--connections", "2"];
  return JSON.parse(await Bun.spawn([client, "--port", String(port), ...times, ...flags]).stdout.text()) as Report;
}

function answering(data: (socket: Bun.Socket) => void) {
  return Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data } });
}

function freePort(): number {
  using probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  return probe.port;
}

/** The bench's own servers, which must agree with the client. */
async function withServer(argv: readonly string[], port: number, use: () => Promise<void>): Promise<void> {
  const child = Bun.spawn([...argv], { env: { BENCH_PORT: String(port) }, stdout: "ignore" });
  try {
    while (!(await canConnect(port))) await Bun.sleep(5);
    await use();
  } finally {
    child.kill();
    await child.exited;
  }
}

async function canConnect(port: number): Promise<boolean> {
  try {
    (await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: () => undefined } })).end();
    return true;
  } catch {
    return false;
  }
}

/** What a server says to lines that are written at once. */
async function dialogue(port: number, text: string, bytes: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = "";
  const socket = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      data: (_, chunk) => {
        said += chunk.toString();
        if (said.length >= bytes) resolve(said);
      },
      close: () => resolve(said),
    },
  });
  socket.write(text);
  const answer = await promise;
  socket.end();
  return answer;
}

describe.skipIf(compiler === null)("the client of line services", () => {
  const servers = [
    ["the C server", (port: number) => [server, String(port)]],
    ["the Bun server", () => [process.execPath, join(import.meta.dir, "../peers/fib-server.ts")]],
  ] as const;

  test.each(servers)("agrees with %s, in every shape of load", async (_name, argvOf) => {
    const port = freePort();
    await withServer(argvOf(port), port, async () => {
      for (const shape of [
        ["--depth", "1"],
        ["--depth", "16"],
        ["--depth", "4000"],
        ["--per-connection", "1"],
      ]) {
        const report = await lines(port, ...shape);
        expect(report.accepted.count).toBeGreaterThan(0);
        expect(report).toMatchObject({ wrong: 0, closedUnanswered: 0, connectFailures: 0, unanswered: 0 });
      }
    });
  });

  test.each(servers)("%s answers what is no number it knows with an error, in order", async (_name, argvOf) => {
    const port = freePort();
    const expected = "Ok: 55\nErr: not a whole number\nErr: not a whole number\nErr: not a whole number\nErr: more than 93\nOk: 0\n";
    await withServer(argvOf(port), port, async () =>
      expect(await dialogue(port, "10\nabc\n-1\n\n99999999999999999999\r\n0\n", expected.length)).toBe(expected),
    );
  });

  test("counts another answer as wrong and shows the first", async () => {
    using liar = answering((socket) => void socket.write("Ok: 4\n"));
    const report = await lines(liar.port);
    expect(report.wrong).toBeGreaterThan(0);
    expect(report.firstWrong).toBe("Ok: 4 ");
  });

  test("counts an answer that nobody asked for as wrong", async () => {
    using chatty = answering((socket) => void socket.write("Ok: 0\nOk: 0\n"));
    expect((await lines(chatty.port, "--connections", "1")).wrong).toBeGreaterThan(0);
  });

  test("counts a connection that is closed instead of answered", async () => {
    using rude = answering((socket) => void socket.end());
    expect((await lines(rude.port)).closedUnanswered).toBeGreaterThan(0);
  });

  test("counts refused connections", async () => {
    expect((await lines(freePort())).connectFailures).toBeGreaterThan(0);
  });

  test("refuses unknown options", async () => {
    const child = Bun.spawn([client, "--fast", "1"], { stderr: "pipe" });
    expect(await child.exited).toBe(2);
    expect(await child.stderr.text()).toContain("--fast");
  });
});

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { binary, ownEnvironment, type Ran, type RunOptions, urocket } from "../../tests/urocket-command.ts";

interface Received {
  readonly method: string;
  readonly target: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

const folder = mkdtempSync(join(tmpdir(), "urocket-reply-"));
const socket = join(folder, "reply.sock");
let received: Received[] = [];
let answer = (): Response => Response.json({ taken: true });

let server: Bun.Server<undefined>;
beforeAll(() => {
  server = Bun.serve({
    unix: socket,
    async fetch(request) {
      if (request.url.includes("/early/")) return new Response("answered already", { status: 409 });
      const { pathname, search } = new URL(request.url);
      received.push({ method: request.method, target: pathname + search, headers: request.headers.toJSON(), body: await request.text() });
      return answer();
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  received = [];
  answer = () => Response.json({ taken: true });
});

const inProgram = { UROCKET_SOCKET: socket, UROCKET_REPLY: "/uri/abc" };
const reply = (args: readonly string[], options: RunOptions = {}): Promise<Ran> =>
  urocket(["reply", ...args], { env: inProgram, ...options });

test("what is on stdin is posted to the reply path, with status 200 and no type of its own", async () => {
  expect(await reply([], { stdin: '{"id":1}' })).toEqual({ code: 0, stdout: "", stderr: "" });
  expect(received).toMatchObject([{ method: "POST", target: "/uri/abc?status=200", body: '{"id":1}' }]);
  expect(received[0]?.headers).not.toHaveProperty("content-type");
});

test("status, type and headers go with it", async () => {
  const args = ["--status", "201", "-t", "text/plain; charset=utf-8", "-H", "Location: /pets/1", "--header", "X-A: a:b", "-H", "X-A: c"];
  expect(await reply(args)).toMatchObject({ code: 0 });
  expect(received).toMatchObject([
    {
      target: "/uri/abc?status=201",
      body: "",
      headers: { "content-type": "text/plain; charset=utf-8", location: "/pets/1", "x-a": "a:b, c" },
    },
  ]);
});

test("a reply of many megabytes arrives whole", async () => {
  const stdin = "0123456789abcdef".repeat(1 << 20);
  expect(await reply([], { stdin })).toMatchObject({ code: 0 });
  expect(received[0]?.body === stdin).toBe(true);
});

test("the host's refusal is told, and the exit code is 1", async () => {
  answer = () => new Response('{"title":"Reply breaks the contract"}\n', { status: 422 });
  expect(await reply([], { stdin: "x" })).toEqual({
    code: 1,
    stdout: "",
    stderr: 'error: The reply was refused (422): {"title":"Reply breaks the contract"}\n',
  });
});

test("a refusal that comes before the reply's end is told without waiting for it", async () => {
  const env = ownEnvironment({ ...inProgram, UROCKET_REPLY: "/early/abc" });
  const child = Bun.spawn([binary, "reply"], { env, stdin: "pipe", stdout: "pipe", stderr: "pipe" });
  await child.stdin.write("the beginning");
  await child.stdin.flush();
  expect(await child.exited).toBe(1);
  expect(await child.stderr.text()).toBe("error: The reply was refused (409): answered already\n");
});

test("a socket that is not there is told by name", async () => {
  const { code, stderr } = await reply([], { env: { ...inProgram, UROCKET_SOCKET: "/nonexistent/reply.sock" } });
  expect(code).toBe(1);
  expect(stderr).toStartWith("error: Cannot send the reply to /nonexistent/reply.sock: ");
});

test("a proxy of the environment does not get between", async () => {
  const env = { ...inProgram, HTTP_PROXY: "http://127.0.0.1:9", http_proxy: "http://127.0.0.1:9" };
  expect(await reply([], { env, stdin: "x" })).toMatchObject({ code: 0, stderr: "" });
});

test("outside of a program it is wrong usage", async () => {
  expect(await reply([], { env: {} })).toMatchObject({ code: 2, stderr: expect.stringContaining("UROCKET_SOCKET is not set") });
  expect(await reply([], { env: { UROCKET_SOCKET: socket } })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("UROCKET_REPLY is not set"),
  });
});

test("a bad status, header or flag is wrong usage, and nothing is sent", async () => {
  for (const args of [
    ["-s", "99"],
    ["-s", "600"],
    ["-s", "abc"],
    ["-s", "100"],
    ["-H", "no colon"],
    ["-H", "bad name: x"],
    ["-H", ": x"],
    ["--what"],
    ["more"],
    ["-s"],
  ]) {
    const { code, stdout, stderr } = await reply(args);
    expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
    expect(stderr).toStartWith("error: ");
    expect(stderr).toContain("urocket reply --help");
  }
  expect(received).toEqual([]);
});

test("its help tells how it is used", async () => {
  const { code, stdout } = await reply(["--help"], { env: {} });
  expect(code).toBe(0);
  expect(stdout).toContain("--status");
});

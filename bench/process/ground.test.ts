import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { freePort, Ground } from "./ground.ts";
import { processTree } from "./proc-stat.ts";

test("disposing of the ground ends every process with its descendants and removes the folder", async () => {
  const ground = new Ground();
  const ready = `${ground.folder}/ready`;
  const server = ground.start("server", ["sh", "-c", `sleep 1000 & echo $! > ${ready}.tmp && mv ${ready}.tmp ${ready}; wait`]);
  while (!existsSync(ready)) await Bun.sleep(1);
  const family = processTree([server.pid]).map(({ pid }) => pid);
  // The shell and its sleep; and mv, if it is seen in its last moment.
  expect(family.length).toBeGreaterThanOrEqual(2);
  await ground[Symbol.asyncDispose]();
  while (processTree(family).length > 0) await Bun.sleep(1); // killed, and waiting for init to reap it
  expect(existsSync(ground.folder)).toBe(false);
});

test("disposing of it twice is the same as once", async () => {
  const ground = new Ground();
  await Promise.all([ground[Symbol.asyncDispose](), ground[Symbol.asyncDispose]()]);
  expect(existsSync(ground.folder)).toBe(false);
});

test("a client that fails is an error with its words", async () => {
  await using ground = new Ground();
  expect(ground.measure(["sh", "-c", "echo no such port >&2; exit 3"])).rejects.toThrow("ended with 3: no such port");
});

test("a server's complaints can be read", async () => {
  await using ground = new Ground();
  const server = ground.start("server", ["sh", "-c", "echo bad configuration >&2; exit 1"]);
  await server.exited;
  expect(server.complaint()).toBe("bad configuration");
});

test("a free port can be listened on", () => {
  using listener = Bun.listen({ hostname: "127.0.0.1", port: freePort(), socket: { data: () => undefined } });
  expect(listener.port).toBeGreaterThan(0);
});

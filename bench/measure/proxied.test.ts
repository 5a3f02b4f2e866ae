import { expect } from "bun:test";
import { existsSync } from "node:fs";
import { requireThat } from "../../tests/system-tools.ts";
import { freePort, Ground } from "../process/ground.ts";
import { buildFolder } from "./build-folder.ts";
import { proxiedSystem } from "./proxied.ts";

const question = { path: "/hello", body: "hello\n" };

const testWithLoad = requireThat(existsSync(`${buildFolder}/load`), "the bench's programs: npm run bench -- setup");

testWithLoad("a proxy's own CPU and that of the daemons behind it are told apart", async () => {
  await using ground = new Ground();
  const port = freePort();
  const script = `Bun.serve({ hostname: "127.0.0.1", port: ${port}, fetch: () => new Response("hello\\n") })`;
  const daemon = ground.start("daemon", [process.execPath, "--no-env-file", "-e", script]);
  const start = () => ({ port, processes: [] });
  const system = proxiedSystem(ground, { name: "nobody", kind: "limit", start, daemons: [daemon.pid] }, question);
  const sample = await system.measure({ program: "hello", connections: 4, seconds: 0.3, warmUpSeconds: 0 });
  expect(sample.faults).toEqual([]);
  expect(sample.ownCpuUs).toBe(0);
  expect(sample.programsCpuUs).toBeGreaterThan(0);
});

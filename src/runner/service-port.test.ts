import { expect, test } from "bun:test";
import { reservePort, servicePorts } from "./service-port.ts";

const listenOn = (port: number): { stop(force: boolean): void } => Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => {} } });

test("a port is free for its daemon, and not given to a second one", () => {
  const found = reservePort();
  const port = found?.port ?? 0;
  listenOn(port).stop(true);
  expect(reservePort({ from: port, to: port })).toBeUndefined();
  found?.release();
  const again = reservePort({ from: port, to: port });
  expect(again?.port).toBe(port);
  again?.release();
});

test("a port on which something listens is passed over", () => {
  const found = reservePort();
  const port = found?.port ?? 0;
  found?.release();
  const listener = listenOn(port);
  expect(reservePort({ from: port, to: port })).toBeUndefined();
  listener.stop(true);
});

test("a reservation is held against other processes, too", () => {
  const found = reservePort();
  const port = found?.port ?? 0;
  const script = `import { reservePort } from ${JSON.stringify(`${import.meta.dir}/service-port.ts`)}; process.exit(reservePort({ from: ${port}, to: ${port} }) === undefined ? 3 : 4);`;
  expect(Bun.spawnSync([process.execPath, "-e", script]).exitCode).toBe(3);
  found?.release();
  expect(Bun.spawnSync([process.execPath, "-e", script]).exitCode).toBe(4);
});

test.each([
  [
    { from: 32_768, to: 60_999 },
    { from: 10_240, to: 32_767 },
  ],
  [
    { from: 10_000, to: 60_000 },
    { from: 60_001, to: 65_535 },
  ],
  [
    { from: 1024, to: 65_535 },
    { from: 10_240, to: 65_535 },
  ],
])("connections having %p, daemons have %p", (ephemeral, expected) => {
  expect(servicePorts(ephemeral)).toEqual(expected);
});

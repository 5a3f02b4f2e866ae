/** A function that gets hold of its instance's link and writes to it as it likes: that costs its own app, and not the host. */
import { expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { serve } from "./serving.ts";

/** `says` writes a frame for each exchange that may be open, and one for none, to every socket that the process has. */
const source = `
import fs from "node:fs";
import { frameTypes } from "${import.meta.dir}/../src/link/frames.ts";
const sockets = () => fs.readdirSync("/proc/self/fd").filter((fd) => {
  try { return fs.readlinkSync("/proc/self/fd/" + fd).startsWith("socket:"); } catch { return false; }
});
const frame = (type, exchange, head) => {
  const bytes = Buffer.alloc(12 + head.length);
  bytes.writeUInt32LE(head.length, 0);
  bytes.writeUInt32LE(exchange, 4);
  bytes[8] = frameTypes.indexOf(type) + 1;
  bytes[9] = 1;
  bytes.writeUInt16LE(head.length, 10);
  bytes.write(head, 12, "latin1");
  return bytes;
};
export const says = async ({ query: { type, head } }) => {
  const bytes = Buffer.concat(Array.from({ length: 50 }, (_, exchange) => frame(type, exchange, head)));
  for (const fd of sockets()) try { fs.writeSync(Number(fd), bytes); } catch {}
  await new Promise(() => {});
};
export const hello = () => "hello";
`;
const trap = `{"valueOf":1,"toString":1}`;

test("whatever it says, its app is served again, and the host can stop", async () => {
  using app = appOf({
    "urocket-service.yaml":
      "timeout: 2s\nscale: { max: 1 }\npaths:\n  /says: { get: { function: f.ts#says } }\n  /hello: { get: { function: f.ts#hello } }\n",
    "f.ts": source,
  });
  await using host = await serve(app.folder);
  for (const [type, head] of [
    ["reply", `{"status":200,"headers":[],"runMs":${trap}}`],
    ["reply", `{"status":200,"headers":[["a",${trap}]],"runMs":1}`],
    ["reply", `{"status":200,"headers":[],"runMs":1,"span":{"events":${trap}}}`],
    ["reply", `{"status":200,"headers":[["a","b\\r\\nc: d"]],"runMs":1}`],
    ["reset", `{"reason":${trap},"detail":${trap}}`],
    ["receipt", `{"totalMs":${trap}}`],
    ["window", `{"bytes":"1e9"}`],
    ["sample", `{"programs":${trap}}`],
    ["abandoned", `{"calls":${trap}}`],
    ["loaded", `{"ok":false,"message":${trap}}`],
    ["log", `{"id":${trap},"stream":${trap},"level":${trap},"fields":{"toJSON":1}}`],
    ["hello", "{}"],
    ["call", "{}"],
  ] as const) {
    const said = await fetch(`${host.url}/says?type=${type}&head=${encodeURIComponent(head)}`);
    expect([200, 502, 504]).toContain(said.status);
    expect(said.headers.get("c")).toBeNull();
    await eventually(`it serves after "${type}"`, async () => (await fetch(`${host.url}/hello`)).status === 200);
  }
  host.signal("SIGTERM");
  expect(await host.exited).toBe(0);
}, 60_000);

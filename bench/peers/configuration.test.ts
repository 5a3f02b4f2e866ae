import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { Ground } from "../process/ground.ts";
import { configure } from "./configuration.ts";

test("a template is filled in, in a file that is named after the peer", async () => {
  await using ground = new Ground();
  const file = configure(ground, "Caddyfile", "a-peer", { PORT: "8123", SERVERS: "unix//run/f.sock" });
  const text = readFileSync(file, "utf8");
  expect(file).toBe(`${ground.folder}/a-peer-Caddyfile`);
  expect(text).toContain("http://127.0.0.1:8123 {");
  expect(text).toContain("unix//run/f.sock");
});

test("a value that nobody gives is an error that names it", async () => {
  await using ground = new Ground();
  expect(() => configure(ground, "Caddyfile", "a-peer", { PORT: "8123" })).toThrow("nothing is given for @SERVERS@ in Caddyfile");
});

import { expect, test } from "bun:test";
import { helloFault, helloOf } from "./hello.ts";

const expected = helloOf("secret", "instance-1");

test("a runner of the host's own version that knows the secret is taken", () => {
  expect(expected.version).toMatch(/^\d+\.\d+\.\d+/);
  expect(helloFault(helloOf("secret", "instance-1"), expected)).toBeUndefined();
});

test.each([undefined, {}, helloOf("guessed", "instance-1"), helloOf("secret", "instance-2")])("anybody else is not: %j", (hello) => {
  expect(helloFault(hello, expected)).toBe("somebody else than the runner greeted");
});

test("a runner of another version is not, and it is said how that comes and what to do", () => {
  expect(helloFault({ ...expected, version: "9.9.9" }, { ...expected, version: "1.0.0" })).toBe(
    "its runner is urocket 9.9.9, its host 1.0.0: urocket was replaced while the host ran; restart the host",
  );
  expect(helloFault({ token: "secret", instance: "instance-1" }, expected)).toContain("its runner is urocket undefined,");
});

import { describe, expect, test } from "bun:test";
import { readUnusualTarget } from "./http-target.ts";

describe("a request target", () => {
  test.each([
    ["/things/../pets", "/pets"],
    ["/things/%2e%2E/pets", "/pets"],
    ["/things/.%2e/pets", "/pets"],
    ["/things/./pets", "/things/pets"],
    ["/things/%2e/pets", "/things/pets"],
    ["/things/..", "/"],
    ["/things/.", "/things/"],
    ["/things/../", "/"],
    ["/a/b/../../c", "/c"],
    ["/..", "/"],
    ["/../../etc", "/etc"],
    ["/.", "/"],
    ["/a//../b", "/a/b"],
    ["/a/..?b=/../c", "/?b=/../c"],
    ["/...", "/..."],
    ["/.well-known/x", "/.well-known/x"],
    ["/a/.b", "/a/.b"],
    ["/a%2f..%2fb", "/a%2f..%2fb"],
    ["/?a\\..\\b", "/?a\\..\\b"],
    ["/a;/..;/b", "/a;/..;/b"],
    ["/%252e%252e/b", "/%252e%252e/b"],
    ["/?/../a", "/?/../a"],
  ])("%s is %s: dot segments of the path are resolved, and nothing else", (raw, target) => {
    expect(readUnusualTarget("GET", raw)).toEqual({ target });
  });

  test.each([
    ["http://b", "/", "b"],
    ["http://b?c", "/?c", "b"],
    ["HTTPS://b:1/c/../d", "/d", "b:1"],
    ["http://[::1]/", "/", "[::1]"],
  ])("%s is %s of %s", (raw, target, authority) => {
    expect(readUnusualTarget("GET", raw)).toEqual({ target, authority });
  });

  test.each(["/a\\b", "/\\..\\b?c", "http://b/a\\b", "http://b\\c/a"])(
    "%s is refused for its backslash, which some take for a slash",
    (raw) => {
      expect(readUnusualTarget("GET", raw)).toMatchObject({ kind: "bad-request", detail: expect.stringContaining("backslash") });
    },
  );

  test("* is the server itself, by OPTIONS alone, also as a URL without a path", () => {
    expect(readUnusualTarget("OPTIONS", "*")).toEqual({ target: "*" });
    expect(readUnusualTarget("OPTIONS", "http://b")).toEqual({ target: "*", authority: "b" });
    expect(readUnusualTarget("GET", "*")).toMatchObject({ kind: "bad-request" });
  });
});

import { describe, expect, test } from "bun:test";
import { readTarget } from "./request-target.ts";

describe("a request's target", () => {
  test.each([
    ["/pets?limit=1", "shop.example", { host: "shop.example", path: "/pets", query: "limit=1" }],
    ["/pets", "Shop.Example:8080", { host: "shop.example", path: "/pets", query: "" }],
    ["/a?b?c", "[::1]:80", { host: "[::1]", path: "/a", query: "b?c" }],
    ["/?", undefined, { host: undefined, path: "/", query: "" }],
    ["*", "h", { host: "h", path: "*", query: "" }],
  ])("%s of host %s", (target, host, read) => {
    expect(readTarget(target, host)).toEqual(read);
  });
});

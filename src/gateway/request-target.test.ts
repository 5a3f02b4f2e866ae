import { describe, expect, test } from "bun:test";
import { readTarget } from "./request-target.ts";

describe("a request's target", () => {
  test("is its host without port and case, its raw path and its raw query", () => {
    expect(readTarget("http://Pets.Example:8080/a%2Fb/c?x=1?2", "Pets.Example:8080")).toEqual({
      host: "pets.example",
      path: "/a%2Fb/c",
      query: "x=1?2",
    });
    expect(readTarget("http://[::1]:8080/", "[::1]:8080")).toEqual({ host: "[::1]", path: "/", query: "" });
    expect(readTarget("http://h?q", "h")).toEqual({ host: "h", path: "/", query: "" });
  });

  test("is read the same when the parser gives only a path", () => {
    expect(readTarget("/x/y?z", null)).toEqual({ host: undefined, path: "/x/y", query: "z" });
  });

  test.each(["a b", "a/b", "x@y", "", "a,b", "h:1:2", "[::1", "h:x", "a\tb", "é"])("is refused when Host is %j", (host) => {
    expect(readTarget("http://h/x", host)).toBeUndefined();
  });
});

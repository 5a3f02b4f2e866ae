import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { codeOf, reasonOf } from "./system-error.ts";

function errorOf(act: () => unknown): unknown {
  try {
    return act();
  } catch (error) {
    return error;
  }
}

test("the kernel's errors are told in words, without their names and the call that failed", () => {
  expect(reasonOf(errorOf(() => readFileSync("/nonexistent/file")))).toBe("there is no such file");
  expect(reasonOf(errorOf(() => readFileSync("/")))).toBe("it is a folder");
  expect(reasonOf(errorOf(() => readFileSync("/dev/null/file")))).toBe("a part of the path is not a folder");
});

test("other errors keep their own words", () => {
  expect([reasonOf(new Error("too late")), reasonOf("odd"), codeOf(new Error("too late"))]).toEqual(["too late", "odd", undefined]);
});

/** The function is called without a host; run with `npm test`. */
import { expect, test } from "bun:test";
import { callLine, testContext } from "urocket/testing";
import { answer } from "./lines.ts";

test("tells what it knows", async () => {
  expect(await callLine(answer, "help")).toStartWith("Ok: help");
});

test("adds numbers", async () => {
  expect(await callLine(answer, "sum 1 2 3.5")).toBe("Ok: 6.5");
  expect(await callLine(answer, "sum")).toBe("Ok: 0");
  expect(await callLine(answer, "sum one")).toBe('Err: "one" is not a number');
});

test("reverses text as people read it", async () => {
  expect(await callLine(answer, "reverse née")).toBe("Ok: eén");
});

test("logs what it does not understand", async () => {
  const ctx = testContext();
  expect(await callLine(answer, "what", ctx)).toBe('Err: "what" is not a command; try help');
  expect(ctx.logged).toEqual([{ level: "info", message: "not understood", fields: { command: "what" } }]);
});

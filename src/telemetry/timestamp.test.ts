import { expect, test } from "bun:test";
import { clockTimes, isoTimes } from "./timestamp.ts";

test("dates are those of Date, within a second and across its end, forwards and backwards", () => {
  const format = isoTimes();
  const start = Date.UTC(2026, 10, 21, 23, 59, 59, 0);
  for (const ms of [0, 1, 42, 999, 1000, 1001, 500, 86_400_000, -1, -999]) {
    expect(format(start + ms)).toBe(new Date(start + ms).toISOString());
  }
});

test("a clock shows the machine's own time of day", () => {
  const date = new Date(2026, 10, 21, 7, 3, 4, 5);
  expect(clockTimes()(date.getTime())).toBe("07:03:04.005");
});

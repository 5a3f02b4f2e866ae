import { describe, expect, test } from "bun:test";
import { afterWork, ejectedMs, type Ejection, failuresMax, neverEjected } from "./ejection.ts";

function fail(before: Ejection, times: number, nowMs = 0): Ejection {
  let ejection = before;
  for (let failure = 0; failure < times; failure++) ejection = afterWork(ejection, false, nowMs);
  return ejection;
}

describe("an instance", () => {
  test("is ejected by failures in a row, and by no fewer", () => {
    expect(fail(neverEjected, failuresMax - 1, 100).untilMs).toBe(0);
    expect(fail(neverEjected, failuresMax, 100).untilMs).toBe(100 + ejectedMs.first);
  });

  test("is not by failures with a success between them", () => {
    const once = afterWork(fail(neverEjected, failuresMax - 1), true, 0);
    expect(once).toBe(neverEjected);
    expect(fail(once, failuresMax - 1).untilMs).toBe(0);
  });

  test("stays out twice as long each time, up to a bound, and starts anew after a success", () => {
    let ejection = neverEjected;
    const out = Array.from({ length: 8 }, () => {
      ejection = fail(ejection, failuresMax, 0);
      return ejection.untilMs;
    });
    expect(out).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(fail(afterWork(ejection, true, 0), failuresMax).untilMs).toBe(ejectedMs.first);
  });

  test("that never fails costs nothing", () => {
    expect(afterWork(neverEjected, true, 5)).toBe(neverEjected);
  });
});

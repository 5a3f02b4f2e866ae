import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cpuPattern, durationPattern, formatDuration, formatSize, parseCpu, parseDuration, parseSize, sizePattern } from "./units.ts";

const value = (number: number) => ({ ok: true as const, value: number });

describe("a duration", () => {
  test.each([
    ["300", 300],
    ["250ms", 250],
    ["30s", 30_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["1.5s", 1500],
    ["0.001s", 1],
    ["1.001s", 1001],
    [" 2 s ", 2000],
    ["0", 0],
  ])("reads %p as %p ms", (text, ms) => {
    expect(parseDuration(text)).toEqual(value(ms));
  });

  test.each(["", "s", "-1s", "1d", "5 days", "1m30s", "1e3", "0x10", "1,5s", "∞", "1S", ".5s", "constructor", "1constructor"])(
    "refuses %p, naming it",
    (text) => {
      expect(parseDuration(text)).toEqual({
        ok: false,
        message: expect.stringContaining(`must be a duration such as 300 (milliseconds), "250ms", "30s", "5m" or "1h", found "${text}"`),
      });
    },
  );

  test("refuses a part of a millisecond and what cannot be counted", () => {
    expect(parseDuration("0.5ms")).toEqual({ ok: false, message: 'is "0.5ms", which is not a whole number of milliseconds' });
    expect(parseDuration("9".repeat(30))).toEqual({ ok: false, message: `is "${"9".repeat(30)}", which is too large to be counted` });
  });

  test("comes back from its text", () => {
    fc.assert(fc.property(fc.nat({ max: 10 ** 12 }), (ms) => expect(parseDuration(formatDuration(ms))).toEqual(value(ms))));
  });
});

describe("a size", () => {
  test.each([
    ["1024", 1024],
    ["64Mi", 64 * 1024 ** 2],
    ["128M", 128_000_000],
    ["10Gi", 10 * 1024 ** 3],
    ["1k", 1000],
    ["1K", 1000],
    ["1Ki", 1024],
    ["2Ti", 2 * 1024 ** 4],
    ["1.5Ki", 1536],
    ["64MiB", 64 * 1024 ** 2],
    ["5B", 5],
    ["0.1Ki", 102],
  ])("reads %p as %p bytes", (text, bytes) => {
    expect(parseSize(text)).toEqual(value(bytes));
  });

  test.each(["", "Mi", "-1", "64m", "64mi", "1Ei", "1 000", "many", "1toString"])("refuses %p, naming it", (text) => {
    expect(parseSize(text)).toEqual({
      ok: false,
      message: expect.stringContaining(`must be a size such as 1024 (bytes), "64Mi", "128M" or "10Gi", found "${text}"`),
    });
  });

  test("that cannot be counted is refused", () => {
    expect(parseSize("99999999Ti")).toEqual({ ok: false, message: 'is "99999999Ti", which is too large to be counted' });
  });

  test("comes back from its text", () => {
    fc.assert(fc.property(fc.maxSafeNat(), (bytes) => expect(parseSize(formatSize(bytes))).toEqual(value(bytes))));
  });
});

describe("a CPU figure", () => {
  test.each([
    ["0.5", 0.5],
    ["500m", 0.5],
    ["2", 2],
    ["1.25", 1.25],
  ])("reads %p as %p", (text, cpus) => {
    expect(parseCpu(text)).toEqual(value(cpus));
  });

  test.each(["", "m", "-1", "2M", "half", "50%"])("refuses %p, naming it", (text) => {
    expect(parseCpu(text)).toEqual({ ok: false, message: `must be a number of CPUs such as 2, 0.5 or "500m", found "${text}"` });
  });

  test("that cannot be counted is refused", () => {
    expect(parseCpu("9".repeat(400)).ok).toBe(false);
  });
});

test("the patterns for JSON Schema take what the parsers take, whatever the text", () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^\d{1,4}(\.\d{1,2})?\s?[a-zA-Z]{0,3}$/));
  fc.assert(
    fc.property(text, (written) => {
      fc.pre(written === written.trim());
      const countable = (parsed: { ok: boolean; message?: string }) => parsed.ok || /whole number|too large/.test(parsed.message ?? "");
      expect(new RegExp(durationPattern).test(written)).toBe(countable(parseDuration(written)));
      expect(new RegExp(sizePattern).test(written)).toBe(countable(parseSize(written)));
      // The parser lets a space stand before the unit; the pattern need not.
      if (!/\s/.test(written)) expect(new RegExp(cpuPattern).test(written)).toBe(countable(parseCpu(written)));
    }),
    { numRuns: 2000 },
  );
});

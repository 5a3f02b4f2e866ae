import { afterEach, expect, jest, test } from "bun:test";
import { GatheredOutput } from "./gathered-output.ts";
import type { OutputLine } from "./receipt.ts";

afterEach(() => void jest.useRealTimers());

const lineOf = (exchangeId: string, text: string): OutputLine => ({
  requestId: exchangeId,
  exchangeId,
  app: "pets",
  operation: "GET /pets",
  stream: "stdout",
  text,
  cut: false,
});

test("lines are kept until they are taken, each request's for itself, and then forgotten", () => {
  const shown: string[] = [];
  const gathered = new GatheredOutput(({ text }) => shown.push(text));
  for (const [id, text] of [
    ["a", "1"],
    ["b", "2"],
    ["a", "3"],
  ] as const)
    gathered.add(lineOf(id, text));
  expect(gathered.take("a").map(({ text }) => text)).toEqual(["1", "3"]);
  expect(gathered.take("a")).toEqual([]);
  gathered.close();
  expect(shown).toEqual(["2"]);
});

test("a request that takes long is shown while it runs, and from then on at once", () => {
  jest.useFakeTimers();
  let now = 0;
  const shown: string[] = [];
  const gathered = new GatheredOutput(
    ({ text }) => shown.push(text),
    () => now,
  );
  gathered.add(lineOf("a", "1"));
  now += 900;
  jest.advanceTimersByTime(900);
  expect(shown).toEqual([]);
  now += 300;
  jest.advanceTimersByTime(300);
  expect(shown).toEqual(["1"]);
  gathered.add(lineOf("a", "2"));
  expect(shown).toEqual(["1", "2"]);
  expect(gathered.take("a")).toEqual([]);
});

test("what is kept of all requests is bounded", () => {
  const shown: string[] = [];
  const gathered = new GatheredOutput(({ text }) => shown.push(text));
  for (let id = 0; id < 100; id += 1) gathered.add(lineOf(String(id), "x".repeat(16_384)));
  const kept = Array.from({ length: 100 }, (_, id) => gathered.take(String(id)).length).reduce((sum, count) => sum + count, 0);
  expect(kept + shown.length).toBe(100);
  expect(kept * 16_384).toBeLessThan(1_000_001);
});

import { expect, test } from "bun:test";
import { serverTiming } from "./server-timing.ts";

test("known steps are told in their order, in ms, to the microsecond", () => {
  const program = { waitMs: 0, spawnMs: 1.1, runMs: 9.80049, replyMs: 0.25 };
  expect(serverTiming({ queueMs: 0.1234567, totalMs: 11.5, program })).toBe(
    "queue;dur=0.123, wait;dur=0, spawn;dur=1.1, run;dur=9.8, reply;dur=0.25, total;dur=11.5",
  );
});

test("a function's call is a step", () => {
  expect(serverTiming({ queueMs: 0, functionMs: 0.42, totalMs: 0.6 })).toBe("queue;dur=0, function;dur=0.42, total;dur=0.6");
});

test("what is not known when the header is sent is left out", () => {
  expect(serverTiming({ queueMs: 0.5, program: { runMs: 3 } })).toBe("queue;dur=0.5, run;dur=3");
  expect(serverTiming({})).toBe("");
});

import { expect, test } from "bun:test";
import { BodyBudget } from "./body-budget.ts";
import type { FrontExchange } from "./front.ts";
import { WholeBody } from "./request-body.ts";

/** Reads a body that announces a length (or none) and comes in these pieces; "…" is all that comes of one that does not end. */
function read(pieces: readonly number[], budget: BodyBudget, { announced, ends = true }: { announced?: number; ends?: boolean } = {}) {
  const told: string[] = [];
  const body = new WholeBody(200_000, budget, {
    received: (bytes, reserved) => told.push(`${bytes.byteLength} of ${reserved} bytes`),
    refused: ({ kind }) => told.push(kind),
  });
  const front: Partial<FrontExchange> = {
    contentLength: announced,
    read(sink) {
      for (const piece of pieces) sink.chunk(new Uint8Array(piece));
      if (ends) sink.end();
    },
  };
  body.read(front as FrontExchange);
  return { told, body };
}

test("a body holds its room until it is given back, in one piece or several", () => {
  const budget = new BodyBudget(150_000);
  expect(read([1000], budget).told).toEqual(["1000 of 1000 bytes"]);
  expect(read([50_000, 50_000], budget).told).toEqual(["100000 of 100000 bytes"]);
  expect(budget.held).toBe(101_000);
  expect(read([49_001], budget).told).toEqual(["memory-full"]);
  expect(budget.held).toBe(101_000);
  expect(read([], budget).told).toEqual(["0 of 0 bytes"]);
});

test("a body over the limit is refused, announced or not, and holds no room", () => {
  const budget = new BodyBudget(1_000_000);
  expect(read([], budget, { announced: 200_001 }).told).toEqual(["body-too-large"]);
  expect(read([150_000, 50_001], budget).told).toEqual(["body-too-large"]);
  expect(budget.held).toBe(0);
});

test("what is announced and does not come takes no room; what came of it is given back when nobody waits for it", () => {
  const budget = new BodyBudget(150_000);
  const slow = read([10], budget, { announced: 150_000, ends: false });
  expect([slow.told, budget.held]).toEqual([[], 10]);
  slow.body.abandon();
  slow.body.end();
  expect([slow.told, budget.held]).toEqual([[], 0]);
});

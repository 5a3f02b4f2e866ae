/**
 * Valid requests are accepted and single mutations of them refused, over every document at hand. `conformance.ts` prints
 * the same as a table.
 */
import { describe, expect, test } from "bun:test";
import { basename } from "node:path";
import { scoreDocument, type Score } from "./conformance.ts";
import { cornerDocuments, exampleDocuments, otherDocuments } from "./documents.ts";
import { generateRequests } from "./generator.ts";
import { requireThat } from "../system-tools.ts";

const seed = 20240501;

async function scoreAll(files: readonly string[]): Promise<Score> {
  const scores = await Promise.all(files.map((file) => scoreDocument(file, seed)));
  const sum = (of: (score: Score) => number): number => scores.reduce((total, score) => total + of(score), 0);
  return {
    file: "all",
    valid: sum((score) => score.valid),
    accepted: sum((score) => score.accepted),
    mutations: sum((score) => score.mutations),
    refused: sum((score) => score.refused),
    exceptions: sum((score) => score.exceptions),
    surprises: scores.flatMap((score) => score.surprises),
  };
}

function expectGood(score: Score): void {
  expect(score.exceptions).toBe(0);
  expect(score.accepted / score.valid).toBeGreaterThanOrEqual(0.995);
  expect(score.refused / score.mutations).toBeGreaterThanOrEqual(0.99);
}

describe("generated requests", () => {
  test("of published examples are judged rightly", async () => {
    const score = await scoreAll(exampleDocuments());
    expect(score.valid).toBeGreaterThan(2000);
    expect(score.mutations).toBeGreaterThan(1000);
    expectGood(score);
  });

  for (const file of cornerDocuments()) {
    test(`of ${basename(file)} are all judged rightly`, async () => {
      const score = await scoreDocument(file, seed);
      expect(score.surprises).toEqual([]);
      expect(score.valid).toBeGreaterThan(4);
      expect(score.mutations).toBeGreaterThan(10);
    });
  }

  const others = otherDocuments();
  requireThat(others.length > 0, "further documents")("of other documents are judged rightly", async () => {
    expectGood(await scoreAll(others));
  });

  test("are the same again for the same seed", async () => {
    const [file = ""] = cornerDocuments();
    expect(await generateRequests(file, 7)).toEqual(await generateRequests(file, 7));
    expect(await generateRequests(file, 8)).not.toEqual(await generateRequests(file, 7));
  });
});

/**
 * Gives generated requests to a contract and counts what it makes of them. Run it for a table:
 * `bun tests/contract/conformance.ts [--failures] [document…]`.
 */
import { basename } from "node:path";
import type { Contract, ContractOperation } from "../../src/contract/contract.ts";
import { loadContract } from "../../src/contract/load.ts";
import { cornerDocuments, exampleDocuments, otherDocuments } from "./documents.ts";
import { generateRequests, type GeneratedRequest } from "./generator.ts";

export interface Score {
  readonly file: string;
  readonly valid: number;
  readonly accepted: number;
  readonly mutations: number;
  readonly refused: number;
  readonly exceptions: number;
  readonly surprises: readonly Surprise[];
}

export interface Surprise {
  readonly request: GeneratedRequest;
  readonly outcome: string;
}

export async function scoreDocument(file: string, seed: number): Promise<Score> {
  const loaded = await loadContract(file);
  if (!loaded.ok) throw new Error(`Cannot load "${file}": ${loaded.problems[0]?.message}`);
  const requests = await generateRequests(file, seed);
  return scoreRequests(file, loaded.contract, requests);
}

function scoreRequests(file: string, contract: Contract, requests: readonly GeneratedRequest[]): Score {
  const operations = new Map(contract.operations.map((operation) => [`${operation.method} ${operation.path}`, operation]));
  const surprises: Surprise[] = [];
  const counts = { valid: 0, accepted: 0, mutations: 0, refused: 0, exceptions: 0 };
  for (const request of requests) {
    const operation = operations.get(request.operation);
    if (!operation) continue;
    const outcome = ask(operation, request);
    const isRefused = outcome !== "accepted";
    if (outcome.startsWith("exception")) counts.exceptions++;
    if (request.expected === "accepted") counts.valid++;
    else counts.mutations++;
    if (request.expected === "accepted" && !isRefused) counts.accepted++;
    else if (request.expected === "refused" && isRefused) counts.refused++;
    else surprises.push({ request, outcome });
  }
  return { file, ...counts, surprises };
}

const encoder = new TextEncoder();

function ask(operation: ContractOperation, request: GeneratedRequest): string {
  const query = request.url.includes("?") ? request.url.slice(request.url.indexOf("?") + 1) : "";
  try {
    const read = operation.readRequest(
      {
        pathParameters: request.pathParameters,
        query,
        headers: new Headers(request.headers),
        ...(request.body === undefined ? {} : { body: encoder.encode(request.body) }),
      },
      { validate: true },
    );
    return read.ok ? "accepted" : `refused: ${JSON.stringify(read.errors)}`;
  } catch (error) {
    return `exception: ${String(error)}`;
  }
}

function percent(part: number, whole: number): string {
  return whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`;
}

if (import.meta.main) {
  const wanted = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
  const total = { valid: 0, accepted: 0, mutations: 0, refused: 0 };
  for (const file of wanted.length > 0 ? wanted : [...cornerDocuments(), ...exampleDocuments(), ...otherDocuments()]) {
    const score = await scoreDocument(file, 1);
    total.valid += score.valid;
    total.accepted += score.accepted;
    total.mutations += score.mutations;
    total.refused += score.refused;
    console.log(
      basename(file).padEnd(44),
      `valid ${score.accepted}/${score.valid}`.padEnd(20),
      percent(score.accepted, score.valid).padEnd(9),
      `mutations ${score.refused}/${score.mutations}`.padEnd(24),
      percent(score.refused, score.mutations),
      score.exceptions > 0 ? `${score.exceptions} EXCEPTIONS` : "",
    );
    if (process.argv.includes("--failures"))
      for (const { request, outcome } of score.surprises.slice(0, 12))
        console.log(
          "   ",
          request.expected,
          request.why,
          "|",
          request.method,
          request.url,
          JSON.stringify(request.headers),
          request.body?.slice(0, 300),
          "→",
          outcome.slice(0, 300),
        );
  }
  console.log(
    "all",
    `valid ${total.accepted}/${total.valid} ${percent(total.accepted, total.valid)}, mutations ${total.refused}/${total.mutations} ${percent(total.refused, total.mutations)}`,
  );
}

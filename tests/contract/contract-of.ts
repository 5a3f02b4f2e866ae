/**
 * Contracts for tests: written to a folder of their own, loaded from there, and removed.
 */
import { mkdtemp, mkdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Contract, ContractOperation, LoadedContract, ReadRequest } from "../../src/contract/contract.ts";
import { loadContract } from "../../src/contract/load.ts";

/** Loads `openapi.yaml` (or the first file) of a few files, by their names. */
export async function loadFiles(files: Readonly<Record<string, string>>): Promise<LoadedContract> {
  const folder = await mkdtemp(join(tmpdir(), "urocket-contract-"));
  try {
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, name)), { recursive: true });
      await Bun.write(join(folder, name), text);
    }
    return await loadContract(join(folder, Object.keys(files)[0] ?? ""));
  } finally {
    await rm(folder, { recursive: true });
  }
}

export async function contractOf(files: Readonly<Record<string, string>>): Promise<Contract> {
  const loaded = await loadFiles(files);
  if (!loaded.ok) throw new Error(loaded.problems.map((problem) => problem.message).join("\n"));
  return loaded.contract;
}

/** An operation of a document with one path, given as what stands under `paths`' path and verb. */
export async function operationOf(
  openapi: string,
  method: string,
  operation: object,
  components: object = {},
  path = "/x",
): Promise<ContractOperation> {
  const document = {
    openapi,
    info: { title: "t", version: "1" },
    paths: { [path]: { [method]: { responses: { 200: { description: "ok" } }, ...operation } } },
    components,
  };
  const contract = await contractOf({ "openapi.json": JSON.stringify(document) });
  const [found] = contract.operations;
  if (!found) throw new Error("no operation");
  return found;
}

export interface Sent {
  readonly path?: Readonly<Record<string, string>>;
  readonly query?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly type?: string;
  readonly body?: string | Uint8Array;
  readonly validate?: boolean;
}

/** Gives a request to an operation. */
export function send(operation: ContractOperation, sent: Sent): ReadRequest {
  const headers = new Headers(sent.headers);
  if (sent.type !== undefined) headers.set("content-type", sent.type);
  const body = typeof sent.body === "string" ? new TextEncoder().encode(sent.body) : sent.body;
  return operation.readRequest(
    { pathParameters: sent.path ?? {}, query: sent.query ?? "", headers, ...(body ? { body } : {}) },
    { validate: sent.validate ?? true },
  );
}

/** `in path: message` of each violation; empty for a request that is accepted. */
export function faults(read: ReadRequest): string[] {
  return read.ok ? [] : read.errors.map((error) => `${error.in} ${error.path}: ${error.message}`);
}

/** Of a request without parameters: `located`. */
export const nothingLocated = { path: {}, query: {}, header: {}, cookie: {} };

/** What is read of a request without a body whose parameters stand in its query. */
export function readQuery(query: Readonly<Record<string, unknown>>): ReadRequest {
  return { ok: true, parameters: query, located: { ...nothingLocated, query }, bodyForm: "none" };
}

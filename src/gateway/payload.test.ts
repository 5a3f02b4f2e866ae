import { describe, expect, test } from "bun:test";
import type { ContractOperation, Violation } from "../contract/contract.ts";
import type { ServedOperation } from "./operation.ts";
import { type Payload, payloadOf } from "./payload.ts";

/** `Grüße` in latin-1: not UTF-8. */
const latin1 = Buffer.from("Grüße", "latin1");

const opaque = {
  readRequest: () => ({ ok: true, parameters: {}, located: { path: {}, query: {}, header: {}, cookie: {} }, bodyForm: "opaque" }),
  takesMediaType: () => true,
} as Partial<ContractOperation> as ContractOperation;

function payload(type: string, body: Uint8Array, contract?: ContractOperation): Payload {
  const operation = {
    handler: { kind: "program", inject: { encoding: "json" } },
    ...(contract && { contract }),
  } as Partial<ServedOperation>;
  return payloadOf({
    operation: operation as ServedOperation,
    headers: new Headers({ "content-type": type }),
    pathParameters: {},
    query: "",
    body,
  });
}

function text(made: Payload): string {
  return made.ok ? Buffer.from(made.bytes).toString() : `${made.problem.kind}: ${made.problem.errors?.[0]?.message}`;
}

describe("a text that its program is given as JSON", () => {
  test.each([
    ["text/plain; charset=iso-8859-1", latin1],
    ['Text/Plain; Charset="ISO-8859-1"', latin1],
    ["text/plain", Buffer.from("Grüße")],
    ["text/csv; charset=utf-16le", Buffer.from("Grüße", "utf16le")],
  ])("is read by its charset: %s", (type, body) => {
    expect(text(payload(type, body))).toBe('"Grüße"');
    expect(text(payload(type, body, opaque))).toBe('"Grüße"');
  });

  test("is refused when it is not what its charset says, or that is unknown", () => {
    expect(text(payload("text/plain", latin1))).toBe("invalid-request: is not valid UTF-8");
    expect(text(payload("text/plain; charset=klingon", latin1))).toBe('invalid-request: has the unknown charset "klingon": send UTF-8');
  });
});

describe("a refusal", () => {
  const violation = { in: "body", path: "$", message: "is required" } as const;
  const refusing = (kind: "invalid-request" | "unsupported-media-type", errors: readonly Violation[]): unknown => {
    const contract = { readRequest: () => ({ ok: false, kind, errors }), takesMediaType: () => true } as Partial<ContractOperation>;
    const made = payload("text/plain", latin1, contract as ContractOperation);
    return made.ok ? undefined : made.problem.detail;
  };

  test("counts the violations, of one alike", () => {
    expect(refusing("invalid-request", [violation])).toBe("The request breaks the contract in 1 place");
    expect(refusing("invalid-request", [violation, violation])).toBe("The request breaks the contract in 2 places");
  });

  test("of a media type says whose type it is", () => {
    const message = 'must be application/json, got "text/plain"';
    expect(refusing("unsupported-media-type", [{ in: "header", path: "Content-Type", message }])).toBe(`The body's type ${message}`);
    expect(refusing("unsupported-media-type", [])).toBe("The contract has no request body of type text/plain");
  });
});

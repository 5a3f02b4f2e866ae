/**
 * What an operation may answer: which response a status falls under, and what of a reply breaks it.
 */
import type { ReplyParts, Violation } from "./contract.ts";
import { bodyEntries, judgeValue, valueOf } from "./body.ts";
import type { BodyEntry } from "./body-value.ts";
import type { Documents } from "./documents.ts";
import { entriesOf, isRecord, member } from "./json.ts";
import { accepts, bestEntry, formatOf, parseMediaType, type MediaType } from "./media-type.ts";
import { declareHeader, isHeaderName, readHeader, type Parameter } from "./parameters.ts";
import type { Validators } from "./validators.ts";

/** One declared response, ready to check replies. */
interface Response {
  readonly entries: readonly BodyEntry[];
  readonly headers: readonly Parameter[];
}

/** Statuses that never have a body (RFC 9110 §6.4.1). */
function hasNoBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

export class Replies {
  readonly #documents: Documents;
  readonly #validators: Validators;
  readonly #declared: unknown;
  readonly #responses = new Map<string, Response>();

  constructor(documents: Documents, validators: Validators, declared: unknown) {
    this.#documents = documents;
    this.#validators = validators;
    this.#declared = declared;
  }

  /** What breaks the contract; `bodyless`: the request was HEAD. */
  check(reply: ReplyParts, bodyless: boolean): readonly Violation[] {
    const key = this.#keyOf(reply.status);
    if (key === undefined) return this.#undeclared(reply.status);
    const response = this.#response(key);
    const violations = response.headers.flatMap((header) => readHeader(header, reply.headers));
    if (!bodyless && !hasNoBody(reply.status) && response.entries.length > 0) violations.push(...checkBody(response.entries, reply));
    return violations;
  }

  /** The first media type of a status that is one, not a range. */
  mediaType(status: number): string | undefined {
    const key = this.#keyOf(status);
    return key === undefined ? undefined : this.#mediaTypeOf(key);
  }

  /** By status as `ContractOperation.replyMediaTypes` says. */
  mediaTypes(): Readonly<Record<string, string>> {
    const found: [status: string, mediaType: string][] = [];
    for (const [key] of entriesOf(this.#declared)) {
      const mediaType = /^([1-5](\d\d|XX)|default)$/i.test(key) ? this.#mediaTypeOf(key) : undefined;
      if (mediaType !== undefined) found.push([key === "default" ? key : key.toUpperCase(), mediaType]);
    }
    return Object.fromEntries(found);
  }

  canProduce(accept: string): boolean {
    const offers: MediaType[] = [];
    for (const [key] of entriesOf(this.#declared)) {
      if (!/^(2..|default)$/i.test(key)) continue;
      for (const written of this.#contentOf(key)) {
        const type = parseMediaType(written);
        if (type) offers.push(type);
      }
    }
    return offers.length === 0 || accepts(accept, offers);
  }

  #mediaTypeOf(key: string): string | undefined {
    return this.#contentOf(key).find((written) => !written.includes("*"));
  }

  #contentOf(key: string): readonly string[] {
    const content = member(this.#documents.resolve(member(this.#declared, key)), "content");
    return isRecord(content) ? Object.keys(content) : [];
  }

  /** "200", then "2XX", then "default" (OpenAPI §4.7.16). */
  #keyOf(status: number): string | undefined {
    const range = `${Math.floor(status / 100)}XX`;
    return [String(status), range, range.toLowerCase(), "default"].find((key) => member(this.#declared, key) !== undefined);
  }

  #undeclared(status: number): readonly Violation[] {
    const known = entriesOf(this.#declared)
      .map(([key]) => key)
      .filter((key) => !key.startsWith("x-"));
    if (known.length === 0) return [];
    return [{ in: "status", path: String(status), message: `is not in the contract, which has ${known.slice(0, 20).join(", ")}` }];
  }

  #response(key: string): Response {
    let response = this.#responses.get(key);
    if (!response) {
      const declared = this.#documents.resolve(member(this.#declared, key));
      response = {
        entries: bodyEntries(this.#documents, this.#validators, member(declared, "content"), "reply"),
        headers: entriesOf(member(declared, "headers"))
          .filter(([name]) => name.toLowerCase() !== "content-type" && isHeaderName(name))
          .map(([name, header]) => declareHeader(this.#documents, this.#validators, name, header)),
      };
      this.#responses.set(key, response);
    }
    return response;
  }
}

function checkBody(entries: readonly BodyEntry[], reply: ReplyParts): readonly Violation[] {
  const known = entries.map((entry) => entry.written).join(", ");
  if (reply.body.length === 0 && !entries.some((entry) => /^(text\/|\*|application\/octet-stream)/.test(entry.range.essence)))
    return [{ in: "body", path: "$", message: `is missing: the contract has ${known}` }];
  const type = parseMediaType(reply.contentType ?? "");
  if (reply.contentType === undefined)
    return reply.body.length === 0 ? [] : [{ in: "header", path: "Content-Type", message: `is missing: the contract has ${known}` }];
  const entry = type && bestEntry(entries, type);
  if (!type || !entry)
    return [{ in: "header", path: "Content-Type", message: `must be ${known}, got ${JSON.stringify(reply.contentType.slice(0, 100))}` }];
  const format = formatOf(type.essence);
  if (format === "opaque") return [];
  const value = valueOf(entry, type, format, reply.body);
  if (!value.ok) return value.errors;
  const judged = judgeValue(entry, value, reply.body.length, true);
  return judged.ok ? [] : judged.errors;
}

/**
 * What an operation may answer: which response a status falls under, and what of a reply breaks it.
 */
import type { ReplyParts, Violation } from "./contract.ts";
import { bodyEntries, judgeValue, TypeMatcher, valueOf } from "./body.ts";
import type { BodyEntry } from "./body-value.ts";
import type { Documents } from "./documents.ts";
import { entriesOf, isRecord, member } from "./json.ts";
import { accepts, parseMediaType, type MediaType } from "./media-type.ts";
import { declareHeader, isHeaderName, readHeader, type Parameter } from "./parameters.ts";
import type { Validators } from "./validators.ts";

/** One declared response, ready to check replies. */
interface Response {
  readonly entries: readonly BodyEntry[];
  readonly types: TypeMatcher;
  readonly headers: readonly Parameter[];
}

/** Statuses that never have a body (RFC 9110 §6.4.1). */
function hasNoBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

const none: readonly Violation[] = [];

export class Replies {
  readonly #documents: Documents;
  readonly #validators: Validators;
  readonly #declared: unknown;
  readonly #responses = new Map<string, Response>();
  /** By status: at most as many as there are. */
  readonly #keys = new Map<number, string | undefined>();
  readonly #mediaTypes = new Map<string, string | undefined>();
  #offers: readonly MediaType[] | undefined;

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
    const wrong = response.headers.length === 0 ? none : response.headers.flatMap((header) => readHeader(header, reply.headers));
    if (bodyless || hasNoBody(reply.status) || response.entries.length === 0) return wrong;
    const inBody = checkBody(response, reply);
    return wrong.length === 0 ? inBody : [...wrong, ...inBody];
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
    if (accept === "*/*") return true;
    this.#offers ??= this.#findOffers();
    return this.#offers.length === 0 || accepts(accept, this.#offers);
  }

  /** Media types of successful replies. */
  #findOffers(): readonly MediaType[] {
    const keys = entriesOf(this.#declared).flatMap(([key]) => (/^(2..|default)$/i.test(key) ? [key] : []));
    return keys.flatMap((key) => this.#contentOf(key).flatMap((written) => parseMediaType(written) ?? []));
  }

  #mediaTypeOf(key: string): string | undefined {
    const known = this.#mediaTypes.get(key);
    if (known !== undefined || this.#mediaTypes.has(key)) return known;
    const found = this.#contentOf(key).find((written) => !written.includes("*"));
    this.#mediaTypes.set(key, found);
    return found;
  }

  #contentOf(key: string): readonly string[] {
    const content = member(this.#documents.resolve(member(this.#declared, key)), "content");
    return isRecord(content) ? Object.keys(content) : [];
  }

  /** "200", then "2XX", then "default" (OpenAPI §4.7.16). */
  #keyOf(status: number): string | undefined {
    const known = this.#keys.get(status);
    if (known !== undefined || this.#keys.has(status)) return known;
    const found = this.#findKey(status);
    if (status < 1000) this.#keys.set(status, found);
    return found;
  }

  #findKey(status: number): string | undefined {
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
      const entries = bodyEntries(this.#documents, this.#validators, member(declared, "content"), "reply");
      response = {
        entries,
        types: new TypeMatcher(entries),
        headers: entriesOf(member(declared, "headers"))
          .filter(([name]) => name.toLowerCase() !== "content-type" && isHeaderName(name))
          .map(([name, header]) => declareHeader(this.#documents, this.#validators, name, header)),
      };
      this.#responses.set(key, response);
    }
    return response;
  }
}

function checkBody({ entries, types }: Response, { body, contentType }: ReplyParts): readonly Violation[] {
  if (body.length === 0 && !entries.some((entry) => mayBeEmpty.test(entry.range.essence)))
    return [{ in: "body", path: "$", message: `is missing: the contract has ${namesOf(entries)}` }];
  if (contentType === undefined)
    return body.length === 0 ? none : [{ in: "header", path: "Content-Type", message: `is missing: the contract has ${namesOf(entries)}` }];
  const matched = types.match(contentType);
  if (!matched)
    return [
      { in: "header", path: "Content-Type", message: `must be ${namesOf(entries)}, got ${JSON.stringify(contentType.slice(0, 100))}` },
    ];
  const { entry, type, format } = matched;
  if (format === "opaque") return none;
  const value = valueOf(entry, type, format, body);
  if (!value.ok) return value.errors;
  const judged = judgeValue(entry, value, body.length, true);
  return judged.ok ? none : judged.errors;
}

const mayBeEmpty = /^(text\/|\*|application\/octet-stream)/;

const namesOf = (entries: readonly BodyEntry[]): string => entries.map((entry) => entry.written).join(", ");

/**
 * What an OpenAPI document says about requests and replies, in the form that the gateway asks. The document is read
 * once; a validator is compiled when its operation is first used, so that a document of 10 000 operations loads at once.
 */
import type { Diagnostic } from "../core/diagnostic.ts";

export interface Contract {
  /** The document, absolute. */
  readonly file: string;
  /** "3.0.3", "3.1.0" … as the document says. */
  readonly openapi: string;
  readonly title: string;
  readonly operations: readonly ContractOperation[];
  /** Every file that was read ($refs followed), absolute: what `--watch` watches. */
  readonly files: readonly string[];
  /** The document as one JSON value: what it refers to in other files is under its `components`. Made when asked for, each time. */
  bundled(): Readonly<Record<string, unknown>>;
}

export type LoadedContract =
  | { readonly ok: true; readonly contract: Contract; readonly warnings: readonly Diagnostic[] }
  | { readonly ok: false; readonly problems: readonly Diagnostic[] };

export interface ContractOperation {
  /** The path template as the document has it: "/pets/{petId}". */
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly operationId?: string;
  /** Names in the path template, in order. */
  readonly pathParameters: readonly string[];
  /**
   * Reads a request into values typed by the contract: parameters by their `style` and `explode`, a body by its media
   * type (JSON and +json, XML, form-urlencoded, multipart). With `validate` every violation is collected; without it
   * only what cannot be read at all is (a body that is not JSON, say).
   */
  readRequest(request: RequestParts, options: { readonly validate: boolean }): ReadRequest;
  /** What of a reply breaks the contract, by its status and media type; empty: nothing. */
  checkReply(reply: ReplyParts): readonly Violation[];
  /** The first media type that the contract declares for a status ("2XX" and "default" included). */
  replyMediaType(status: number): string | undefined;
  /**
   * The first media type that is one, not a range, by status as the contract writes it: "200", "2XX" (in upper case) or
   * "default". Statuses without one are absent.
   */
  replyMediaTypes(): Readonly<Record<string, string>>;
  /** Whether a successful reply of some declared media type satisfies an `Accept` header (RFC 9110 §12.5.1). */
  canProduce(accept: string): boolean;
  /** Whether a body of this Content-Type may be sent; true for all when the operation declares no body. */
  takesMediaType(contentType: string): boolean;
  /** Whether a body of this Content-Type is not parsed, so that it may go on as it comes. */
  isOpaque(contentType: string | null): boolean;
}

export interface RequestParts {
  /** Raw (percent-encoded) text of each path parameter. */
  readonly pathParameters: Readonly<Record<string, string>>;
  /** The query without its "?", raw. */
  readonly query: string;
  readonly headers: HeaderReader;
  /** Absent: the request has no body. */
  readonly body?: Uint8Array;
}

export type ReadRequest =
  | {
      readonly ok: true;
      /** Path and query parameters by name, typed; defaults of the contract filled in. */
      readonly parameters: Readonly<Record<string, unknown>>;
      /** The same, and the declared headers (names in lower case) and cookies, by where they stand. */
      readonly located: LocatedParameters;
      /** The body's value where it was parsed; absent for opaque media types and when there is none. */
      readonly body?: unknown;
      /** How the body was read: "opaque" bodies go on as their bytes. */
      readonly bodyForm: "none" | "json" | "xml" | "form" | "multipart" | "opaque";
    }
  | { readonly ok: false; readonly kind: "invalid-request" | "unsupported-media-type"; readonly errors: readonly Violation[] };

export interface LocatedParameters {
  readonly path: Readonly<Record<string, unknown>>;
  readonly query: Readonly<Record<string, unknown>>;
  readonly header: Readonly<Record<string, unknown>>;
  readonly cookie: Readonly<Record<string, unknown>>;
}

/** Headers as the contract reads them: `Headers` are, and whatever the gateway has. */
export interface HeaderReader {
  /** All values of a header, joined by ", "; null: there is none. @param name in lower case. */
  get(name: string): string | null;
}

export interface ReplyParts {
  readonly status: number;
  readonly contentType?: string;
  readonly headers: HeaderReader;
  readonly body: Uint8Array;
}

export interface Violation {
  readonly in: "path" | "query" | "header" | "cookie" | "body" | "status";
  /** For a body a JSON path ("$.tags[0].name"); for a parameter its name, with a JSON path's tail: "filter.colour". */
  readonly path: string;
  readonly message: string;
}

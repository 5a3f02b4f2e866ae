/**
 * The types of handlers, made of an operation's types as `urocket types` writes them (and `openapi-typescript` too), so that a
 * handler that disagrees with its contract does not compile.
 */
import type { Context } from "./context.ts";
import type { Status, StatusInRange } from "./status.ts";
import type { HeadersLike } from "./reply.ts";

/**
 * A function that serves an operation: `Handler<operations["addPet"]>`. It returns, or promises:
 * - `{ status, headers?, body? }`, one of those that the contract declares;
 * - a bare value: the body of a 200, or nothing for a 204;
 * - a web-standard Response, about which the types say nothing.
 *
 * It may throw an `HttpError`. Without a type argument anything goes in, as text, and out.
 */
export type Handler<Operation = unknown> = (input: Input<Operation>, ctx: Context) => Result<Operation> | Promise<Result<Operation>>;

/** The default export of a functions file that serves requests in the way of the Fetch API: `export default { fetch } satisfies FetchHandler`. */
export interface FetchHandler {
  /** The request's body comes as it was sent. `request.signal` is `ctx.signal`. */
  fetch(request: Request, ctx: Context): Response | Promise<Response>;
}

/**
 * Answers one line of a listener's client. Lines of one client come one at a time, in order.
 * @param line without its line end.
 * @returns the answer without its line end, which is added. One with line ends within is several lines to the client.
 */
export type LineHandler = (line: string, ctx: Context) => string | Promise<string>;

/** What a handler is called with. */
export interface Input<Operation = unknown> {
  /**
   * The body's value as the contract has it, whether it was sent as JSON, XML or a form. Of other media types, and without
   * a contract of all but JSON: a stream of its bytes, which is read once. Undefined: there is none.
   */
  readonly body: BodyOf<Operation>;
  /** Path parameters by name. */
  readonly params: ParametersOf<Operation, "path">;
  /** Query parameters that the contract declares, its defaults filled in; without a contract all, as text. */
  readonly query: ParametersOf<Operation, "query">;
  /** All headers by their names in lower case: declared ones as the contract types them, others as text. */
  readonly headers: HeadersOf<Operation>;
  /** The same as a web-standard Request, made when it is first asked for. Its body and `body` are read one or the other. */
  readonly request: Request;
}

/** What a handler returns, or promises. */
export type Result<Operation = unknown> = unknown extends Operation
  ? unknown
  : Operation extends { readonly responses: infer Responses }
    ? Replies<Responses> | Bare<Responses> | Response
    : unknown;

// --- what comes in

type Text = Readonly<Record<string, string | undefined>>;
type TextOrList = Readonly<Record<string, string | readonly string[] | undefined>>;

type ParametersOf<Operation, Place extends "path" | "query"> = unknown extends Operation
  ? Place extends "path"
    ? Text
    : TextOrList
  : Declared<Operation, Place>;

/** Of a place that is optional, or marked as empty by `never`, too. */
type Declared<Operation, Place extends string> = Operation extends { readonly parameters: infer Parameters }
  ? Place extends keyof Parameters
    ? [NonNullable<Parameters[Place]>] extends [never]
      ? Nothing
      : Readonly<NonNullable<Parameters[Place]>>
    : Nothing
  : Nothing;
type Nothing = Readonly<Record<never, never>>;

type HeadersOf<Operation> = unknown extends Operation ? Text : WithOthers<LowerCased<Declared<Operation, "header">>>;
type LowerCased<Headers> = { readonly [Name in keyof Headers as Name extends string ? Lowercase<Name> : never]: Headers[Name] };
/** An index signature takes in what is declared beside it, so it names their types too. */
type WithOthers<Headers> = Headers & { readonly [name: string]: Headers[keyof Headers] | string | undefined };

type BodyOf<Operation> = unknown extends Operation
  ? unknown
  : Operation extends { readonly requestBody: { readonly content: infer Content } }
    ? BodyIn<Content>
    : Operation extends { readonly requestBody?: { readonly content: infer Content } | undefined }
      ? BodyIn<Content> | undefined
      : ReadableStream<Uint8Array> | undefined;
type BodyIn<Content> = [keyof Content] extends [never]
  ? ReadableStream<Uint8Array>
  : {
      [Type in keyof Content]: Type extends ParsedType ? Content[Type] : Type extends Range ? unknown : ReadableStream<Uint8Array>;
    }[keyof Content];

// --- what goes out

type Replies<Responses> = { [Key in keyof Responses]: Reply<StatusOf<Responses, Key>, Responses[Key]> }[keyof Responses];

/** One shape for each status, so that an error names the one that was meant. */
type Reply<Code, Response> = Code extends number
  ? { readonly status: Code } & HeadersOut<Response extends { readonly headers: infer Headers } ? Headers : Nothing> &
      BodyOut<Code, Response>
  : never;

type BodyOut<Code, Response> = Code extends Bodyless
  ? { readonly body?: null | undefined }
  : Response extends { readonly content: infer Content }
    ? [keyof Content] extends [never]
      ? { readonly body?: undefined }
      : { readonly body: BodyAs<Content> }
    : { readonly body?: undefined };

type BodyAs<Content> = {
  [Type in keyof Content]: Type extends JsonType ? Content[Type] : Type extends Range ? unknown : Raw;
}[keyof Content];
/** Of media types other than JSON: text, or bytes. */
type Raw = string | Uint8Array | ArrayBuffer | Blob | ReadableStream<Uint8Array>;
type Bodyless = 204 | 205 | 304;

type HeaderValue = string | number | readonly string[];
type HeadersOut<Headers> = [RequiredNames<Headers>] extends [never]
  ? { readonly headers?: HeadersLike }
  : { readonly headers: Readonly<Record<RequiredNames<Headers>, HeaderValue>> & Readonly<Record<string, HeaderValue | undefined>> };
/** Names that are told, not those of an index signature. Content-Type is the body's affair. */
type RequiredNames<Headers> = keyof {
  [
    Name in keyof Headers as string extends Name
      ? never
      : Name extends string
        ? Lowercase<Name> extends "content-type"
          ? never
          : Nothing extends Pick<Headers, Name>
            ? never
            : Name
        : never
  ]: unknown;
};

/** A bare value is the body of a 200, by its own response or that of its range; nothing is a 204. */
type Bare<Responses> =
  | (200 extends keyof Responses ? BareBody<Responses[200]> : "2XX" extends keyof Responses ? BareBody<Responses["2XX"]> : never)
  | (Responses extends { readonly 204: unknown } | { readonly "2XX": unknown } ? void : never);
type BareBody<Response> = Response extends { readonly content: infer Content }
  ? [keyof Content] extends [never]
    ? never
    : BodyAs<Content>
  : never;

type StatusOf<Responses, Key extends keyof Responses> = Key extends number
  ? Key
  : Key extends "default"
    ? Exclude<Status, { [Other in Exclude<keyof Responses, "default">]: StatusOf<Responses, Other> }[Exclude<keyof Responses, "default">]>
    : Key extends string
      ? Exclude<StatusInRange<Key>, keyof Responses>
      : never;

// --- media types

type JsonEssence = "application/json" | "text/json" | `${string}+json`;
type JsonType = JsonEssence | `${JsonEssence};${string}`;
type XmlEssence = "application/xml" | "text/xml" | `${string}+xml`;
type FormEssence = "application/x-www-form-urlencoded" | `multipart/${string}`;
/** Media types whose bodies the host reads by the contract. */
type ParsedType = JsonType | XmlEssence | FormEssence | `${XmlEssence | FormEssence};${string}`;
/** Ranges that may be either. */
type Range = "*/*" | "*" | "application/*" | "text/*";

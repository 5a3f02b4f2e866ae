/**
 * What tests of functions import: `import { callHandler } from "urocket/testing"`. A handler is called as the host calls it, and
 * what it returns becomes what the host would send, without a host, a port or a contract: what is given is taken to be valid.
 */
import type { Context } from "./context.ts";
import type { FetchHandler, LineHandler } from "./handler.ts";
import { isHttpError, toProblemReply } from "./http-error.ts";
import type { Reply } from "./reply.ts";
import { mediaTypesByStatus, toReply } from "./result.ts";
import { TestContext, type TestContextOptions } from "./test-context.ts";

export type { LoggedLine, TestContext, TestContextOptions } from "./test-context.ts";

interface AnyInput {
  readonly body: unknown;
  readonly params: object;
  readonly query: object;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly request: Request;
}

/** What a handler is called with. Names of headers may be in any case. */
export type GivenInput<Input> = Optional<"body", BodyIn<Input>> &
  Optional<"params", Member<Input, "params">> &
  Optional<"query", Member<Input, "query">> &
  Optional<"headers", Member<Input, "headers">> & {
    /** Of `request`. Default: GET, with a body POST. */
    readonly method?: string;
    /** Of `request`, without its query. Default: "/". */
    readonly path?: string;
    /** What the contract declares for the responses, by "200", "4XX" or "default": how text is written. Default: there is no contract. */
    readonly mediaTypes?: Readonly<Record<string, string>>;
  };

type Member<Input, Key extends string> = Key extends keyof Input ? Input[Key] : unknown;
type BodyIn<Input> =
  Member<Input, "body"> extends infer Body
    ? unknown extends Body
      ? unknown
      : Body extends ReadableStream<Uint8Array>
        ? Body | Uint8Array | Blob
        : Body
    : never;
/** A member that may be left out where it may be empty. */
type Optional<Key extends string, Value> = undefined extends Value
  ? { readonly [Name in Key]?: Value }
  : Record<never, never> extends Value
    ? { readonly [Name in Key]?: Value }
    : { readonly [Name in Key]: Value };

/** A response. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** Of a JSON media type its value, of text/* and XML the text, of others the bytes; undefined: there is none. */
  readonly body: unknown;
}

/**
 * Calls a handler, or the `fetch` of a default export, and tells what the client would get: also the problem of an HttpError.
 * @param context a context of `testContext`, or what is to be different in a new one.
 * @throws what the handler throws, unless it is an HttpError; TypeError when its result cannot be sent. Clients would get a 500.
 */
export async function callHandler<Input extends AnyInput>(
  handler: ((input: Input, ctx: Context) => unknown) | FetchHandler,
  ...[given, context]: Record<never, never> extends GivenInput<Input>
    ? [given?: GivenInput<Input>, context?: Context | TestContextOptions]
    : [given: GivenInput<Input>, context?: Context | TestContextOptions]
): Promise<Answer> {
  const call: Given = given ?? {};
  const ctx = contextOf(context);
  return answerOf(await replyOf(handler, call, ctx));
}

/**
 * Calls a listener's function with one line.
 * @returns what the client would get, without the line end; of an HttpError `Err: ` and its detail.
 * @throws what the handler throws, unless it is an HttpError. Clients would get "Err: The function failed".
 */
export async function callLine(handler: LineHandler, line: string, context?: Context | TestContextOptions): Promise<string> {
  try {
    return (await handler(line, contextOf(context))).replace(/\n$/, "");
  } catch (error) {
    if (isHttpError(error)) return `Err: ${error.message.replaceAll(/\s*\n\s*/g, " ")}`;
    throw error;
  }
}

/** A context whose log lines, span and secrets a test can look at and set. */
export function testContext(options: TestContextOptions = {}): TestContext {
  return new TestContext(options);
}

function contextOf(context: Context | TestContextOptions | undefined): Context {
  return context !== undefined && "signal" in context && "span" in context && "log" in context ? context : new TestContext(context ?? {});
}

interface Given {
  readonly body?: unknown;
  readonly params?: unknown;
  readonly query?: unknown;
  readonly headers?: unknown;
  readonly method?: string;
  readonly path?: string;
  readonly mediaTypes?: Readonly<Record<string, string>>;
}

async function replyOf<Input>(
  handler: ((input: Input, ctx: Context) => unknown) | FetchHandler,
  given: Given,
  ctx: Context,
): Promise<Reply> {
  const input = new TestInput(given, ctx.signal);
  try {
    const result: unknown = typeof handler === "function" ? await handler(input as Input, ctx) : await handler.fetch(input.request, ctx);
    return toReply(result, mediaTypesByStatus(given.mediaTypes));
  } catch (error) {
    if (isHttpError(error)) return toProblemReply(error);
    throw error;
  }
}

/** A handler's input as the host makes it: values have been JSON, bytes are a stream, names of headers are in lower case. */
class TestInput {
  readonly body: unknown;
  readonly params: unknown;
  readonly query: unknown;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly #given: Given;
  readonly #signal: AbortSignal;
  #request: Request | undefined;

  constructor(given: Given, signal: AbortSignal) {
    this.#given = given;
    this.#signal = signal;
    this.body = received(given.body);
    this.params = copied(given.params ?? {});
    this.query = copied(given.query ?? {});
    this.headers = Object.fromEntries(entries(given.headers).map(([name, value]) => [name.toLowerCase(), value]));
  }

  get request(): Request {
    return (this.#request ??= this.#makeRequest());
  }

  #makeRequest(): Request {
    const { method = this.body === undefined ? "GET" : "POST", path = "/" } = this.#given;
    const url = new URL(path, "http://localhost");
    for (const [name, value] of entries(this.query)) for (const one of [value].flat()) url.searchParams.append(name, text(one));
    const headers = new Headers(Object.entries(this.headers).map(([name, value]) => [name, text(value)]));
    if (this.body === undefined) return new Request(url.href, { method, headers, signal: this.#signal });
    if (this.body instanceof ReadableStream) return new Request(url.href, { method, headers, signal: this.#signal, body: this.body });
    if (!headers.has("content-type")) headers.set("content-type", "application/json");
    return new Request(url.href, { method, headers, signal: this.#signal, body: JSON.stringify(this.body) });
  }
}

function received(body: unknown): unknown {
  if (body === undefined || body instanceof ReadableStream) return body;
  if (body instanceof Blob) return body.stream();
  if (body instanceof Uint8Array) return new Blob([new Uint8Array(body)]).stream();
  return copied(body);
}

/** A value after it has been JSON: dates are text, what is undefined is not there, and it is the handler's own. */
function copied(value: unknown): unknown {
  const json = JSON.stringify(value);
  return json === undefined ? undefined : (JSON.parse(json) as unknown);
}

function entries(value: unknown): [string, unknown][] {
  return typeof value === "object" && value !== null ? Object.entries(value).filter(([, one]) => one !== undefined) : [];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

async function answerOf({ status, headers, body }: Reply): Promise<Answer> {
  const list = new Headers();
  for (const [name, value] of headers) list.append(name, value);
  return { status, headers: list, body: body === undefined ? undefined : await bodyOf(body, list.get("content-type") ?? "") };
}

async function bodyOf(body: NonNullable<Reply["body"]>, contentType: string): Promise<unknown> {
  const [essence = ""] = contentType.toLowerCase().split(";", 1);
  const type = essence.trim();
  const bytes =
    body instanceof ReadableStream ? await new Response(body).bytes() : typeof body === "string" ? new TextEncoder().encode(body) : body;
  if (/[/+]json$/.test(type)) return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  return /^text\/|[/+]xml$/.test(type) ? new TextDecoder().decode(bytes) : bytes;
}

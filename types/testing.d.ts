/**
 * What tests of functions import: `import { callHandler } from "urocket/testing"`. A handler is called as the host calls it, and
 * what it returns becomes what the host would send, without a host, a port or a contract: what is given is taken to be valid.
 */
import type { Context } from "./context.js";
import type { FetchHandler, LineHandler } from "./handler.js";
import { TestContext, type TestContextOptions } from "./test-context.js";
export type { LoggedLine, TestContext, TestContextOptions } from "./test-context.js";
interface AnyInput {
    readonly body: unknown;
    readonly params: object;
    readonly query: object;
    readonly headers: Readonly<Record<string, unknown>>;
    readonly request: Request;
}
/** What a handler is called with. Names of headers may be in any case. */
export type GivenInput<Input> = Optional<"body", BodyIn<Input>> & Optional<"params", Member<Input, "params">> & Optional<"query", Member<Input, "query">> & Optional<"headers", Member<Input, "headers">> & {
    /** Of `request`. Default: GET, with a body POST. */
    readonly method?: string;
    /** Of `request`, without its query. Default: "/". */
    readonly path?: string;
    /** What the contract declares for the responses, by "200", "4XX" or "default": how text is written. Default: there is no contract. */
    readonly mediaTypes?: Readonly<Record<string, string>>;
};
type Member<Input, Key extends string> = Key extends keyof Input ? Input[Key] : unknown;
type BodyIn<Input> = Member<Input, "body"> extends infer Body ? unknown extends Body ? unknown : Body extends ReadableStream<Uint8Array> ? Body | Uint8Array | Blob : Body : never;
/** A member that may be left out where it may be empty. */
type Optional<Key extends string, Value> = undefined extends Value ? {
    readonly [Name in Key]?: Value;
} : Record<never, never> extends Value ? {
    readonly [Name in Key]?: Value;
} : {
    readonly [Name in Key]: Value;
};
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
export declare function callHandler<Input extends AnyInput>(handler: ((input: Input, ctx: Context) => unknown) | FetchHandler, ...[given, context]: Record<never, never> extends GivenInput<Input> ? [given?: GivenInput<Input>, context?: Context | TestContextOptions] : [given: GivenInput<Input>, context?: Context | TestContextOptions]): Promise<Answer>;
/**
 * Calls a listener's function with one line.
 * @returns what the client would get, without the line end; of an HttpError `Err: ` and its detail.
 * @throws what the handler throws, unless it is an HttpError. Clients would get "Err: The function failed".
 */
export declare function callLine(handler: LineHandler, line: string, context?: Context | TestContextOptions): Promise<string>;
/** A context whose log lines, span and secrets a test can look at and set. */
export declare function testContext(options?: TestContextOptions): TestContext;

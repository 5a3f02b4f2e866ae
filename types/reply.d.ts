/**
 * What a handler's result becomes on its way to the client, and the rules of its headers. Runner and testing helper share it.
 */
/** A response as the host sends it. */
export interface Reply {
    /** 200 to 599. */
    readonly status: number;
    /** Names in lower case, in order. Lists without headers of the author's own are shared between replies: never write to them. */
    readonly headers: ReplyHeaders;
    /** Text is sent as UTF-8. Undefined: there is none. */
    readonly body: string | Uint8Array | ReadableStream<Uint8Array> | undefined;
}
export type ReplyHeaders = readonly (readonly [name: string, value: string])[];
/** Headers as authors write them. Several values: one header line each. Undefined ones are left out. */
export type HeadersLike = Readonly<Record<string, string | number | readonly string[] | undefined>> | Headers;
/**
 * Headers as they are sent.
 * @throws TypeError naming the header that HTTP cannot carry.
 */
export declare function readHeaders(headers: unknown): [name: string, value: string][];
/** A value in a message: short, with its quotes, or what it is. */
export declare function shown(value: unknown): string;

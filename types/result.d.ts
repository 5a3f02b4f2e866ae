import { type Reply } from "./reply.js";
/** The media type that the contract declares for a status; undefined: none, or there is no contract. */
export type MediaTypeOf = (status: number) => string | undefined;
/** From declared media types by "200", "2XX" and "default" (OpenAPI 3.1 §4.8.16) to a look-up that remembers. */
export declare function mediaTypesByStatus(declared: Readonly<Record<string, string>> | undefined): MediaTypeOf;
/**
 * What a handler's result is sent as: `{ status, headers?, body? }`, a web-standard Response, or a bare value, which is the
 * body of a 200 (undefined: of a 204).
 * @throws TypeError when it is nothing that can be sent; its message says what, and what to return in its place.
 */
export declare function toReply(result: unknown, mediaTypeOf: MediaTypeOf): Reply;

/**
 * The error that is an answer. It lies in every bundle that uses it, and in the runner, so that a class is no proof: it
 * carries a brand that is the same in all of them.
 */
import { type HeadersLike, type Reply } from "./reply.js";
/** What a client is told: a problem document of RFC 9457. Further members are extensions of it (§3.2). */
export interface ProblemMembers {
    /** A URI that names the kind of problem. Default: none, which means "about:blank". */
    readonly type?: string;
    /** The kind in words. Default: the status's own phrase, "Not Found". */
    readonly title?: string;
    /** What happened this time, for people. */
    readonly detail?: string;
    /** A URI of this very occurrence. */
    readonly instance?: string;
    /** Of the response: `retry-after`, `www-authenticate` … They are no member of the document. */
    readonly headers?: HeadersLike;
    /** The status is the first argument's. */
    readonly status?: never;
    readonly [extension: string]: unknown;
}
/**
 * Thrown by a handler, it is the response: `throw new HttpError(404, "There is no pet 7")`. The client gets it as
 * `application/problem+json` (RFC 9457). Everything else that is thrown is a 500 without a word of it.
 */
export declare class HttpError extends Error {
    /** 400 to 599. */
    readonly status: number;
    /** The document's members but its status. */
    readonly problem: Omit<ProblemMembers, "headers" | "status">;
    readonly headers: HeadersLike;
    /**
     * @param status 400 to 599.
     * @param problem `detail`, or the document's members, with the response's `headers`.
     * @param options `cause`: for the log, never for the client.
     * @throws RangeError for any other status.
     */
    constructor(status: number, problem?: string | ProblemMembers, options?: ErrorOptions);
}
/** Whether it is an HttpError, of this copy of the module or another. */
export declare function isHttpError(value: unknown): value is HttpError;
/**
 * The problem document as it is sent.
 * @throws TypeError when an extension cannot be written as JSON, or a header is none.
 */
export declare function toProblemReply(error: HttpError): Reply & {
    readonly body: string;
};

/**
 * The error that is an answer. It lies in every bundle that uses it, and in the runner, so that a class is no proof: it
 * carries a brand that is the same in all of them.
 */
import { readHeaders, shown, type HeadersLike, type Reply } from "./reply.ts";

const brand = Symbol.for("urocket.HttpError");

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
export class HttpError extends Error {
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
  constructor(status: number, problem: string | ProblemMembers = {}, options?: ErrorOptions) {
    if (!isErrorStatus(status))
      throw new RangeError(`An HttpError has a status from 400 to 599, not ${shown(status)}; return anything else`);
    const { headers = {}, status: _, ...members } = typeof problem === "string" ? { detail: problem } : problem;
    super(members.detail ?? members.title ?? phrases[status] ?? `Status ${status}`, options);
    this.status = status;
    this.problem = members;
    this.headers = headers;
    Object.defineProperty(this, brand, { value: true });
  }
}
Object.defineProperty(HttpError.prototype, "name", { value: "HttpError", writable: true, configurable: true });

/** Whether it is an HttpError, of this copy of the module or another. */
export function isHttpError(value: unknown): value is HttpError {
  return typeof value === "object" && value !== null && brand in value && "status" in value && isErrorStatus(value.status);
}

/**
 * The problem document as it is sent.
 * @throws TypeError when an extension cannot be written as JSON, or a header is none.
 */
export function toProblemReply(error: HttpError): Reply & { readonly body: string } {
  const { type, title, detail, ...extensions } = error.problem;
  const members = { type: type ?? "about:blank", title: title ?? phrases[error.status], status: error.status, detail, ...extensions };
  const headers = readHeaders(error.headers).filter(([name]) => name !== "content-type");
  return { status: error.status, headers: [["content-type", "application/problem+json"], ...headers], body: JSON.stringify(members) };
}

function isErrorStatus(status: unknown): status is number {
  return Number.isInteger(status) && Number(status) >= 400 && Number(status) <= 599;
}

/** IANA's HTTP status code registry. `node:http` has them too, and costs an instance's start a millisecond. */
const phrases: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};

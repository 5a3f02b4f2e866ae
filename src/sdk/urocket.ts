/**
 * What authors of functions import: `import { HttpError, type Handler } from "urocket"`. It has no dependencies and runs
 * wherever functions run: in an instance, and in a test without a host.
 */
export type { Context, Logger, Span } from "./context.ts";
export type { FetchHandler, Handler, Input, LineHandler, Result } from "./handler.ts";
export type { HeadersLike } from "./reply.ts";
export { HttpError, type ProblemMembers } from "./http-error.ts";

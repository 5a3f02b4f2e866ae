/**
 * What authors of functions import: `import { HttpError, type Handler } from "urocket"`. It has no dependencies and runs
 * wherever functions run: in an instance, and in a test without a host.
 */
export type { Context, Logger, Span } from "./context.js";
export type { FetchHandler, Handler, Input, LineHandler, Result } from "./handler.js";
export type { HeadersLike } from "./reply.js";
export { HttpError, type ProblemMembers } from "./http-error.js";

/** W3C Trace Context on its way from a request's headers to what serves it. */
import type { HeaderReader } from "../contract/contract.ts";

/** §3.2.2, §3.3. */
const traceparentShape = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const tracestateShape = /^[\x20-\x7e]{1,512}$/;

const none = {};

/** Only what is well-formed goes on. */
export function traceContext(headers: HeaderReader): { readonly traceparent?: string; readonly tracestate?: string } {
  const traceparent = headers.get("traceparent");
  if (traceparent === null || !traceparentShape.test(traceparent)) return none;
  const tracestate = headers.get("tracestate");
  return tracestate !== null && tracestateShape.test(tracestate) ? { traceparent, tracestate } : { traceparent };
}

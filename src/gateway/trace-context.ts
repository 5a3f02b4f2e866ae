/** W3C Trace Context on its way from a request's headers to a program's environment. */

/** §3.2.2, §3.3. */
const traceparentShape = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;
const tracestateShape = /^[\x20-\x7e]{1,512}$/;

/** Only what is well-formed goes on to a program's environment. */
export function traceContext(headers: Headers): { traceparent?: string; tracestate?: string } {
  const traceparent = headers.get("traceparent");
  if (traceparent === null || !traceparentShape.test(traceparent)) return {};
  const tracestate = headers.get("tracestate");
  return tracestate !== null && tracestateShape.test(tracestate) ? { traceparent, tracestate } : { traceparent };
}

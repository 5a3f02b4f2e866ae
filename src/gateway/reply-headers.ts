/**
 * From an instance's reply to a response's headers. An instance is not trusted: what belongs to the connection, to the
 * message's framing or to urocket itself is not its to say, and what is no header at all is refused.
 */
import type { DispatchReply } from "./dispatch.ts";

/** RFC 9110 §7.6.1, framing (RFC 9112 §6), and what the gateway sets itself. */
const notTheInstances = new Set([
  "connection",
  "content-length",
  "date",
  "keep-alive",
  "proxy-connection",
  "server-timing",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "x-request-id",
]);
/** RFC 9110 §5.1, §5.5: a token; visible characters, spaces and tabs, obs-text. */
const name = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const value = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Statuses that never carry a body: RFC 9110 §15.3.5, §15.3.6, §15.4.5. */
export function isBodyless(status: number): boolean {
  return status === 204 || status === 205 || status === 304;
}

export type ReplyHeaders = { readonly ok: true; readonly headers: string[] } | { readonly ok: false; readonly detail: string };

/**
 * @param mediaType what a reply without a Content-Type of its own is.
 * @returns a list of the caller's own.
 */
export function replyHeaders(reply: DispatchReply, mediaType: string, hasBody: boolean): ReplyHeaders {
  if (!Number.isInteger(reply.status) || reply.status < 200 || reply.status > 599) {
    return { ok: false, detail: `The reply has status ${String(reply.status).slice(0, 20)}; 200 to 599 can be sent` };
  }
  const headers: string[] = [];
  let typed = false;
  for (const [key, text] of reply.headers) {
    if (!name.test(key) || !value.test(text))
      return { ok: false, detail: `The reply has a header "${String(key).slice(0, 60)}" that is not one` };
    const lower = key.toLowerCase();
    if (notTheInstances.has(lower) || lower.startsWith("x-urocket-")) continue;
    typed ||= lower === "content-type";
    headers.push(lower, text);
  }
  if (hasBody && !typed && !isBodyless(reply.status)) headers.push("content-type", mediaType);
  return { ok: true, headers };
}

/** What a function gets of its request (`input`). Each part is made when it is first asked for. */
import type { CallHead } from "../link/messages.ts";

/** The call as its input sees it. */
export interface InputSource {
  readonly head: CallHead;
  /** The request's body, where it is whole; undefined: there is none, or it is a stream. */
  readonly bytes: Uint8Array | undefined;
  /** The request's body, where it comes as it is read. */
  readonly stream: ReadableStream<Uint8Array> | undefined;
  readonly signal: AbortSignal;
}

const none: Readonly<Record<string, unknown>> = Object.freeze({});

export class FunctionInput {
  readonly #source: InputSource;
  #body: unknown;
  #bodyIsRead = false;
  #headers: Readonly<Record<string, unknown>> | undefined;
  #request: Request | undefined;

  constructor(source: InputSource) {
    this.#source = source;
  }

  /** JSON: its value. Other media types: a stream of bytes. */
  get body(): unknown {
    if (this.#bodyIsRead) return this.#body;
    this.#bodyIsRead = true;
    const { bytes } = this.#source;
    return (this.#body = bytes === undefined ? this.#source.stream : parse(bytes));
  }

  get params(): Readonly<Record<string, unknown>> {
    return this.#source.head.params ?? none;
  }

  get query(): Readonly<Record<string, unknown>> {
    return this.#source.head.queryValues ?? none;
  }

  /** By names in lower case; declared ones as the contract types them. */
  get headers(): Readonly<Record<string, unknown>> {
    return (this.#headers ??= headersOf(this.#source.head));
  }

  get request(): Request {
    return (this.#request ??= requestOf(this.#source));
  }
}

/** A web-standard Request. Its body is the input's: read one of them. */
export function requestOf(source: InputSource): Request {
  const { head, bytes, stream } = source;
  const request = madeRequest(head, bytes ?? stream);
  request.source = source;
  addHeaders(request.headers, head);
  return request;
}

class CallRequest extends Request {
  source: InputSource | undefined;
}
// An AbortController is only made for those who look at the signal.
Object.defineProperty(CallRequest.prototype, "signal", {
  get(this: CallRequest): AbortSignal | undefined {
    return this.source?.signal;
  },
});

function parse(bytes: Uint8Array): unknown {
  return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString()) as unknown;
}

function madeRequest(
  { host, proto, path, query, method }: CallHead,
  body: Uint8Array | ReadableStream<Uint8Array> | undefined,
): CallRequest {
  const target = query === "" ? path : `${path}?${query}`;
  const scheme = proto ?? "http";
  // Measured: each thing that need not be said saves as much as a header costs.
  const init = body !== undefined ? { method, body } : method === "GET" ? undefined : { method };
  if (host !== "") {
    try {
      return new CallRequest(`${scheme}://${host}${target}`, init);
    } catch {
      // Clients may name as their host what no URL can hold.
    }
  }
  return new CallRequest(`${scheme}://localhost${target}`, init);
}

/** Put into those that the Request has: Headers of one's own would be copied. */
function addHeaders(list: Headers, { headers, body }: CallHead): void {
  for (let at = 0; at + 1 < headers.length; at += 2) list.append(headers[at] ?? "", headers[at + 1] ?? "");
  // A form or XML that the contract made JSON of.
  if (body === "json" && !/[/+]json\b/i.test(list.get("content-type") ?? "")) {
    list.set("content-type", "application/json");
    list.delete("content-length");
  }
}

function headersOf({ headers, headerValues }: CallHead): Readonly<Record<string, unknown>> {
  // Without a prototype: a header may have any token as its name, "constructor" too.
  const byName = Object.create(null) as Record<string, string>;
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? "";
    const value = headers[at + 1] ?? "";
    const before = byName[name];
    // RFC 9110 §5.3; cookies are joined by their own rule (RFC 9113 §8.2.3).
    byName[name] = before === undefined ? value : before + (name === "cookie" ? "; " : ", ") + value;
  }
  return headerValues === undefined ? byName : Object.assign(byName, headerValues);
}

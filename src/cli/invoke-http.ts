/**
 * A request of `urocket invoke` and what is shown of its answer. It speaks by node's HTTP client, because that sends what it is
 * told to (a body with GET, a Host of one's own) and goes through no proxy.
 */
import { createReadStream, statSync } from "node:fs";
import { type ClientRequest, type IncomingMessage, request as httpRequest, STATUS_CODES } from "node:http";
import { request as httpsRequest } from "node:https";
import type { Pairs } from "./invoke-target.ts";
import type { Stream, Terminal } from "./terminal.ts";

/** What a request's body is made of. */
export type RequestData =
  | { readonly from: "text"; readonly text: string }
  | { readonly from: "file"; readonly path: string }
  | { readonly from: "stdin" };

export interface InvokeRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Pairs;
  readonly data?: RequestData;
  readonly signal: AbortSignal;
}

export interface ShownAs {
  /** One JSON object with status, headers and body. */
  readonly json: boolean;
  /** Status line and headers before the body. */
  readonly include: boolean;
}

/** A body that is laid out, or put into JSON, is held whole; a longer one goes by as it is. */
const heldBytesMax = 8 * 2 ** 20;

/** Sends a request and shows its answer. @returns its status. @throws when there is none, or it breaks off. */
export async function sendRequest(request: InvokeRequest, shownAs: ShownAs, terminal: Terminal): Promise<number> {
  const answer = await ask(request);
  const status = answer.statusCode ?? 0;
  if (shownAs.json) await showAsJson(answer, status, terminal);
  else await show(answer, status, shownAs, terminal);
  return status;
}

function ask({ method, url, headers, data, signal }: InvokeRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === "https:" ? httpsRequest : httpRequest;
    // One connection for one request: nothing is left open that would keep the command from ending.
    const request = send(url, { method, agent: false, signal, headers: collect(headers) });
    let answered = false;
    request.on("response", (answer) => {
      answered = true;
      resolve(answer);
    });
    // A host that refuses a body answers while it is still sent, and the rest of it fails.
    request.on("error", (error) => (answered ? undefined : reject(error)));
    sendBody(request, data, reject);
  });
}

/** Headers of one name are sent as several. */
function collect(headers: Pairs): Record<string, string | string[]> {
  const collected: Record<string, string | string[]> = {};
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    const there = collected[lower];
    collected[lower] = there === undefined ? value : [there, value].flat();
  }
  return collected;
}

function sendBody(request: ClientRequest, data: RequestData | undefined, failed: (error: Error) => void): void {
  if (data === undefined) return void request.end();
  if (data.from === "text") {
    request.setHeader("content-length", Buffer.byteLength(data.text));
    return void request.end(data.text);
  }
  const source = data.from === "stdin" ? process.stdin : createReadStream(data.path);
  if (data.from === "file") request.setHeader("content-length", statSync(data.path).size);
  source.on("error", failed);
  source.pipe(request);
}

async function show(answer: IncomingMessage, status: number, { include }: ShownAs, { out, err }: Terminal): Promise<void> {
  if (include) for (const line of headLines(answer, status)) out.line(line);
  else if (status >= 400) err.line(statusLine(answer, status));
  if (out.isTerminal && isJson(answer)) await showLaidOut(answer, out);
  else await passOn(answer, out, new Uint8Array());
}

const statusLine = (answer: IncomingMessage, status: number): string =>
  `HTTP ${status} ${answer.statusMessage || (STATUS_CODES[status] ?? "")}`.trimEnd();

function headLines(answer: IncomingMessage, status: number): string[] {
  return [statusLine(answer, status), ...headersOf(answer).map(([name, value]) => `${name}: ${value}`), ""];
}

function headersOf({ rawHeaders }: IncomingMessage): Pairs {
  return rawHeaders.flatMap((name, position) =>
    position % 2 === 0 ? [[name.toLowerCase(), rawHeaders[position + 1] ?? ""] as const] : [],
  );
}

/** Those that are there several times have a list of values. */
function headersToJson(answer: IncomingMessage): Record<string, string | string[]> {
  return collect(headersOf(answer));
}

const isJson = ({ headers }: IncomingMessage): boolean => /^[^;]*[/+]json\b/i.test(headers["content-type"] ?? "");

/** JSON for people to read. What is none after all, or too long, is shown as it came. */
async function showLaidOut(answer: IncomingMessage, out: Stream): Promise<void> {
  const held = await hold(answer);
  if (!held.whole) return await passOn(answer, out, held.bytes);
  const text = Buffer.from(held.bytes).toString();
  try {
    out.line(JSON.stringify(JSON.parse(text), undefined, 2));
  } catch {
    if (text !== "") out.line(text);
  }
}

async function showAsJson(answer: IncomingMessage, status: number, { out }: Terminal): Promise<void> {
  const { bytes, whole } = await hold(answer);
  if (!whole) throw new Error(`its body has more than ${heldBytesMax} bytes, which -o json cannot show; leave it out`);
  out.line(JSON.stringify({ status, headers: headersToJson(answer), ...bodyToJson(answer, bytes) }, undefined, 2));
}

/** `body`: the JSON value or the text; `bodyBase64` for bytes that are neither; nothing where there is none. */
function bodyToJson(answer: IncomingMessage, bytes: Uint8Array): object {
  if (bytes.length === 0) return {};
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { body: isJson(answer) ? (JSON.parse(text) as unknown) : text };
  } catch {
    return { bodyBase64: Buffer.from(bytes).toString("base64") };
  }
}

/** The body, as far as it may be held. */
async function hold(answer: IncomingMessage): Promise<{ readonly bytes: Uint8Array; readonly whole: boolean }> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of answer.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > heldBytesMax) return { bytes: Buffer.concat(chunks), whole: false };
  }
  return { bytes: Buffer.concat(chunks), whole: true };
}

/** What was read already, then the rest as it comes; on a terminal a line end after it, so that the prompt has its own line. */
async function passOn(answer: IncomingMessage, out: Stream, begun: Uint8Array): Promise<void> {
  let last = begun.at(-1);
  if (begun.length > 0) await out.write(begun);
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    last = chunk.at(-1) ?? last;
    await out.write(chunk);
  }
  if (out.isTerminal && last !== undefined && last !== 0x0a) out.line("");
}

/** Reads a request's body whole, within the app's limit and the gateway's budget. */
import type { BodyBudget } from "./body-budget.ts";
import type { Problem } from "./problem.ts";

export type RequestBody =
  | {
      readonly ok: true;
      /** Absent: the request has none. */ readonly bytes?: Uint8Array;
      /** To be given back to the budget. */ readonly reserved: number;
    }
  | { readonly ok: false; readonly problem: Problem }
  | { readonly ok: false; readonly problem?: undefined };

/** A body up to this is reserved when it is announced, and read at once; a longer one as it comes: announcing alone takes no room. */
const announcedBytesMax = 64 * 1024;

const none: RequestBody = { ok: true, reserved: 0 };

/** Whether a body was announced (RFC 9112 §6.3). */
export function announcesBody(headers: Headers): boolean {
  return headers.has("content-length") || headers.has("transfer-encoding");
}

/** `ok: false` without a problem: the client left before the body was whole. */
export async function readRequestBody(request: Request, bytesMax: number, budget: BodyBudget): Promise<RequestBody> {
  const announced = request.headers.get("content-length");
  if (announced !== null) {
    const length = Number(announced);
    if (length > bytesMax) return tooLarge(bytesMax, `announces ${length} bytes`);
    if (length === 0) return { ok: true, bytes: new Uint8Array(0), reserved: 0 };
    if (length <= announcedBytesMax) return readAtOnce(request, length, budget);
  }
  if (request.body === null) return none;
  return readChunks(request.body, bytesMax, budget);
}

async function readAtOnce(request: Request, length: number, budget: BodyBudget): Promise<RequestBody> {
  if (!budget.reserve(length)) return full(budget);
  try {
    return { ok: true, bytes: await request.bytes(), reserved: length };
  } catch {
    budget.release(length);
    return { ok: false };
  }
}

async function readChunks(body: ReadableStream<Uint8Array>, bytesMax: number, budget: BodyBudget): Promise<RequestBody> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body.getReader();
  const refuse = (problem?: Problem): RequestBody => {
    budget.release(length);
    // What is still to come is not read; its failure is nobody's concern.
    reader.cancel().catch(() => {});
    return problem === undefined ? { ok: false } : { ok: false, problem };
  };
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done)
        return {
          ok: true,
          bytes: chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, length),
          reserved: length,
        };
      if (length + value.byteLength > bytesMax) return refuse(tooLarge(bytesMax, "goes on beyond it").problem);
      if (!budget.reserve(value.byteLength)) return refuse(full(budget).problem);
      length += value.byteLength;
      chunks.push(value);
    }
  } catch {
    return refuse();
  }
}

function tooLarge(bytesMax: number, how: string): { readonly ok: false; readonly problem: Problem } {
  const detail = `The request's body ${how}; limits.body is ${bytesMax} bytes`;
  return { ok: false, problem: { kind: "body-too-large", detail, headers: { Connection: "close" } } };
}

function full(budget: BodyBudget): { readonly ok: false; readonly problem: Problem } {
  const detail = `Bodies of other requests fill the ${budget.bytesMax} bytes that may be held at once`;
  return { ok: false, problem: { kind: "memory-full", detail, headers: { "Retry-After": "1", Connection: "close" } } };
}

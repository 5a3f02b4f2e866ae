/**
 * A client that sends the very bytes it is given, for what `fetch` would mend or refuse to send: odd paths, headers,
 * methods, and bodies that come in pieces or never end.
 */
import { createConnection, type Socket } from "node:net";

export interface RawResponse {
  readonly status: number;
  readonly headers: Headers;
  readonly body: string;
}

export interface RawConnection extends Disposable {
  send(bytes: string | Uint8Array): void;
  /** The next response on the connection; undefined when the peer closed instead. `toHead`: it answers a HEAD, and has no body. */
  response(options?: { readonly toHead?: boolean }): Promise<RawResponse | undefined>;
  /** What has come and is not part of a response that was asked for, as Latin-1. */
  received(): string;
  /** Resolves when the peer has closed. */
  readonly closed: Promise<void>;
  /** Reads no more of what the peer sends. */
  pause(): void;
  /** Reads on. */
  resume(): void;
  /** Sends nothing any more, and still reads. */
  finish(): void;
  /** Ends the connection at once. */
  drop(): void;
}

/** Sends one request on a connection of its own and waits for the response. */
export async function sendRaw(port: number, request: string, options?: { readonly toHead?: boolean }): Promise<RawResponse | undefined> {
  using connection = await connectRaw(port);
  connection.send(request);
  return await connection.response(options);
}

export async function connectRaw(port: number): Promise<RawConnection> {
  const socket = await connected(port);
  let received: Buffer = Buffer.alloc(0);
  let isClosed = false;
  let wake = (): void => undefined;
  const closed = new Promise<void>((resolve) => {
    socket.on("close", () => {
      isClosed = true;
      resolve();
      wake();
    });
  });
  socket.on("data", (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    wake();
  });
  // A reset is how some servers close; `close` follows.
  socket.on("error", () => undefined);

  const response = async (options?: { readonly toHead?: boolean }): Promise<RawResponse | undefined> => {
    for (;;) {
      const parsed = parseResponse(received, isClosed, options?.toHead === true);
      if (parsed !== undefined) {
        received = received.subarray(parsed.length);
        if (parsed.response.status === 100) continue;
        return parsed.response;
      }
      if (isClosed) return undefined;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };

  return {
    send: (bytes) => void (typeof bytes === "string" ? socket.write(bytes, "latin1") : socket.write(bytes)),
    response,
    received: () => received.toString("latin1"),
    closed,
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    finish: () => void socket.end(),
    drop: () => void socket.destroy(),
    [Symbol.dispose]: () => void socket.destroy(),
  };
}

async function connected(port: number): Promise<Socket> {
  return await new Promise((resolve, reject) => {
    const socket = createConnection({ host: "127.0.0.1", port }, () => resolve(socket));
    socket.once("error", reject);
  });
}

function parseResponse(bytes: Buffer, isWhole: boolean, toHead: boolean): { response: RawResponse; length: number } | undefined {
  const headEnd = bytes.indexOf("\r\n\r\n");
  if (headEnd < 0) return undefined;
  const [statusLine = "", ...lines] = bytes.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(statusLine.split(" ")[1]);
  const headers = new Headers();
  for (const line of lines) headers.append(line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim());
  const body = bytes.subarray(headEnd + 4);
  const found = toHead || status < 200 || status === 204 || status === 304 ? { text: "", length: 0 } : readBody(body, headers, isWhole);
  return found && { response: { status, headers, body: found.text }, length: headEnd + 4 + found.length };
}

function readBody(bytes: Buffer, headers: Headers, isWhole: boolean): { text: string; length: number } | undefined {
  const length = headers.get("content-length");
  if (length !== null) {
    return bytes.length < Number(length) ? undefined : { text: bytes.toString("utf8", 0, Number(length)), length: Number(length) };
  }
  if (headers.get("transfer-encoding") === "chunked") return readChunks(bytes);
  return isWhole ? { text: bytes.toString("utf8"), length: bytes.length } : undefined;
}

function readChunks(bytes: Buffer): { text: string; length: number } | undefined {
  const pieces: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const next = lineEnd + 2 + size + 2;
    if (bytes.length < next) return undefined;
    if (size === 0) return { text: Buffer.concat(pieces).toString("utf8"), length: next };
    pieces.push(bytes.subarray(lineEnd + 2, lineEnd + 2 + size));
    at = next;
  }
}

/**
 * Cuts what a daemon sends over a connection into the replies to the requests that it was sent, one after the other: the opposite
 * of `http-connection.ts`. It has no socket: bytes go in, and what they are comes out by a sink, in the same turn.
 */
import type { HeaderList } from "./front.ts";
import { type BodyCutter, cutterOf } from "./http-body.ts";
import { interimRepliesMax, replyHeadBytesMax } from "./http-limits.ts";
import { type BadReply, parseReplyHead, type ReplyHead } from "./http-reply-head.ts";
import { lineFeed } from "./http-syntax.ts";

/**
 * Told of one reply: `interim` in any number, then `head`, then `data` until one of both says `last`; or `switched`; or, at any time
 * before that, `broken`. When `last` is told, `isReusable` says what becomes of the connection, and the next reply may be begun.
 */
export interface ResponseSink {
  /** An answer before the answer, 100 to 199, but 101. */
  interim(status: number, headers: HeaderList): void;
  /**
   * @param head the same object again, while the heads of a connection are the same byte for byte: what is derived of it can be kept.
   * @param body what came along of it. Nobody writes to it again.
   * @param trailers of a chunked body that is whole.
   */
  head(head: ReplyHead, body: Uint8Array, last: boolean, trailers: HeaderList | undefined): void;
  data(chunk: Uint8Array, last: boolean, trailers: HeaderList | undefined): void;
  /** 101: the connection is the tunnel's from now on. @param rest what has come of it behind the head. */
  switched(head: ReplyHead, rest: Uint8Array): void;
  /** The reply is none, or not whole: the connection is of no use any more. @param detail a sentence about "the reply". */
  broken(detail: string): void;
}

type State =
  /** No reply is awaited: whatever comes is nobody's. */
  | "idle"
  | "head"
  /** So many bytes of the body are missing: `#missingBytes`. */
  | "length"
  | "chunks"
  | "until-close"
  /** Nothing can be told from here on. */
  | "over";

const nothing = new Uint8Array(0);
/** A head that is kept to be compared with keeps the whole chunk it came in from being freed. */
const keptChunkBytesMax = 4 * 1024;

export class ResponseReader {
  #state: State = "idle";
  #sink: ResponseSink | undefined;
  #isHead = false;
  #upgrades = false;
  #hasBegun = false;
  #isReusable = true;
  #interims = 0;
  /** Part of a head that came apart. */
  #carry: Carry | undefined;
  #missingBytes = 0;
  /** The daemon said that it goes on after the reply. */
  #isKept = false;
  #chunks: BodyCutter | undefined;
  /** The last head, with the chunk that it is the beginning of. */
  #last: ReplyHead | undefined;
  #lastBytes: Buffer | undefined;

  /** Something of the reply has come. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Another request can be sent: the reply before was whole, nothing came behind it, and the daemon goes on. */
  get isReusable(): boolean {
    return this.#isReusable && this.#state === "idle";
  }

  /**
   * Awaits the reply to a request. Only while `isReusable`.
   * @param upgrades the request asked for an upgrade: 101 is an answer to it.
   */
  begin(method: string, upgrades: boolean, sink: ResponseSink): void {
    this.#state = "head";
    this.#sink = sink;
    this.#isHead = method === "HEAD";
    this.#upgrades = upgrades;
    this.#hasBegun = false;
    this.#interims = 0;
  }

  /** Bytes of the daemon. @param chunk nobody writes to it again; what is told to the sink are parts of it. */
  received(chunk: Buffer): void {
    this.#hasBegun = true;
    switch (this.#state) {
      case "head":
        return this.#receivedHead(chunk);
      case "length":
        return this.#receivedLength(chunk);
      case "chunks":
        return this.#chunks === undefined ? undefined : this.#receivedChunks(this.#chunks, chunk);
      case "until-close":
        return this.#sink?.data(chunk, false, undefined);
      case "idle":
        // An answer that nobody asked for would be taken for the next one's.
        this.#isReusable = false;
        return;
      case "over":
        return;
    }
  }

  /** The daemon sends nothing any more. */
  ended(): void {
    const state = this.#state;
    this.#isReusable = false;
    if (state === "idle" || state === "over") return;
    if (state === "until-close") return this.#whole(false)?.data(nothing, true, undefined);
    this.#break(this.#hasBegun ? "The connection was closed before the reply was whole" : "The connection was closed without a reply");
  }

  /** Nobody wants the reply any more. Nothing of it is told from here on, and the connection is of no use. */
  abandon(): void {
    this.#state = "over";
    this.#isReusable = false;
    this.#sink = this.#carry = this.#chunks = undefined;
  }

  // The head

  #receivedHead(chunk: Buffer): void {
    if (this.#carry === undefined) {
      const known = this.#knownHead(chunk);
      return known === undefined ? this.#readHead(chunk, 0) : this.#answered(known, chunk, known.end);
    }
    const all = this.#carry.add(chunk);
    if (all !== undefined) this.#readHead(all, 0);
  }

  /** The last head, where the chunk begins with the same bytes. */
  #knownHead(chunk: Buffer): ReplyHead | undefined {
    const last = this.#last;
    if (last === undefined || this.#lastBytes === undefined || chunk.length < last.end) return undefined;
    return this.#lastBytes.compare(chunk, 0, last.end, 0, last.end) === 0 ? last : undefined;
  }

  #readHead(bytes: Buffer, from: number): void {
    const head = parseReplyHead(bytes, from);
    if (head === undefined) {
      // Read again and still not whole: it is carried on as it is.
      if (from > 0 || this.#carry === undefined) this.#carry = new Carry(from === 0 ? bytes : bytes.subarray(from));
      return;
    }
    this.#carry = undefined;
    if (isBad(head)) return this.#break(head.bad);
    if (head.status < 200 && head.status !== 101) return this.#interim(head, bytes);
    if (from === 0 && bytes.length <= keptChunkBytesMax) {
      this.#last = head;
      this.#lastBytes = bytes;
    }
    this.#answered(head, bytes, head.end);
  }

  #interim(head: ReplyHead, bytes: Buffer): void {
    if (++this.#interims > interimRepliesMax) return this.#break(`The reply is preceded by more than ${interimRepliesMax} interim ones`);
    const sink = this.#sink;
    sink?.interim(head.status, head.headers);
    // Whoever was told may have had enough.
    if (this.#state === "head" && this.#sink === sink && head.end < bytes.length) this.#readHead(bytes, head.end);
  }

  /** @param at where its body begins. */
  #answered(head: ReplyHead, bytes: Buffer, at: number): void {
    const { status } = head;
    if (status === 101) return this.#switched(head, bytes, at);
    if (this.#isHead) return this.#answeredNothing(head, bytes, at);
    const { framing } = head;
    if (typeof framing === "number") return this.#answeredLength(head, framing, bytes, at);
    switch (framing) {
      case "none":
        return this.#answeredLength(head, 0, bytes, at);
      case "chunked":
        return this.#answeredChunks(head, bytes, at);
      case "until-close":
        this.#state = "until-close";
        return this.#sink?.head(head, bytes.subarray(at), false, undefined);
    }
  }

  #switched(head: ReplyHead, bytes: Buffer, at: number): void {
    if (!this.#upgrades) return this.#break("The reply switches protocols, which nobody asked for");
    const sink = this.#sink;
    this.abandon();
    sink?.switched(head, bytes.subarray(at));
  }

  // The body

  /** To HEAD. A daemon that sends what it announces may do so late: it must not be taken for the next reply. */
  #answeredNothing(head: ReplyHead, bytes: Buffer, at: number): void {
    const isKept = head.isKept && (head.framing === 0 || head.framing === "none");
    this.#whole(isKept && at === bytes.length)?.head(head, nothing, true, undefined);
  }

  #answeredLength(head: ReplyHead, length: number, bytes: Buffer, at: number): void {
    const missing = length - (bytes.length - at);
    if (missing <= 0) return this.#whole(missing === 0 && head.isKept)?.head(head, bytes.subarray(at, at + length), true, undefined);
    this.#state = "length";
    this.#missingBytes = missing;
    this.#isKept = head.isKept;
    this.#sink?.head(head, bytes.subarray(at), false, undefined);
  }

  #receivedLength(chunk: Buffer): void {
    const missing = (this.#missingBytes -= chunk.length);
    if (missing > 0) return this.#sink?.data(chunk, false, undefined);
    this.#whole(missing === 0 && this.#isKept)?.data(missing === 0 ? chunk : chunk.subarray(0, missing), true, undefined);
  }

  #answeredChunks(head: ReplyHead, bytes: Buffer, at: number): void {
    const body = cutterOf("chunked");
    const piece = at < bytes.length ? (body.next(bytes, at) ?? nothing) : nothing;
    if (body.state === "malformed") return this.#break(malformedChunks);
    if (body.state === "whole") return this.#whole(body.at === bytes.length && head.isKept)?.head(head, piece, true, body.trailers);
    this.#state = "chunks";
    this.#chunks = body;
    this.#isKept = head.isKept;
    this.#sink?.head(head, piece, false, undefined);
  }

  #receivedChunks(body: BodyCutter, chunk: Buffer): void {
    const piece = body.next(chunk, 0);
    if (body.state === "malformed") return this.#break(malformedChunks);
    if (body.state === "whole") {
      return this.#whole(body.at === chunk.length && this.#isKept)?.data(piece ?? nothing, true, body.trailers);
    }
    if (piece !== undefined) this.#sink?.data(piece, false, undefined);
  }

  // Ends

  /** The reply is whole: whoever is told may begin the next one. */
  #whole(isReusable: boolean): ResponseSink | undefined {
    const sink = this.#sink;
    this.#state = "idle";
    this.#isReusable = isReusable;
    this.#sink = this.#chunks = undefined;
    return sink;
  }

  #break(detail: string): void {
    const sink = this.#sink;
    this.abandon();
    sink?.broken(detail);
  }
}

const malformedChunks = "The reply's chunks are malformed";

/**
 * A head that comes apart. It is read again when a line has ended, of which a head has a limited number: a daemon that sends it byte
 * by byte does not make us read it as often.
 */
class Carry {
  #bytes: Buffer;
  #length: number;

  constructor(begun: Buffer) {
    this.#bytes = begun;
    this.#length = begun.length;
  }

  /** @returns all that has come, where it should be read again. */
  add(chunk: Buffer): Buffer | undefined {
    const length = this.#length + chunk.length;
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(length, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
    return length >= replyHeadBytesMax || chunk.includes(lineFeed) ? this.#bytes.subarray(0, length) : undefined;
  }
}

function isBad(head: ReplyHead | BadReply): head is BadReply {
  return "bad" in head;
}

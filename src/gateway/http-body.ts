/**
 * Cuts a message's body out of what follows its head: by length, or in chunks (RFC 9112 §7.1). Both hand out what there is of it as
 * one piece of the bytes that came, and say where they stopped.
 */
import type { HeaderList } from "./front.ts";
import type { Framing } from "./http-framing.ts";
import { carriageReturn, colon, lineFeed, semicolon, tokenBytes, valueBytes } from "./http-syntax.ts";
import { readTrailers, trailerBytesMax, trailerLinesMax } from "./http-trailers.ts";

export interface BodyCutter {
  /** "malformed": what comes next is not of a body, and nobody knows where the next request starts. */
  readonly state: "open" | "whole" | "malformed";
  /** Bytes that it still has for certain, framing aside. */
  readonly announcedBytes: number;
  /** Where the last `next` stopped. */
  readonly at: number;
  /** What came behind a body that is "whole" and may go on; undefined: nothing. */
  readonly trailers: HeaderList | undefined;
  /** The next piece of the body in `bytes`; undefined: there is none in them. Not called any more when it is not "open". */
  next(bytes: Buffer, from: number): Buffer | undefined;
}

export function cutterOf(framing: Framing): BodyCutter {
  return framing === "chunked" ? new ChunkCutter() : new LengthCutter(framing);
}

class LengthCutter implements BodyCutter {
  state: "open" | "whole";
  announcedBytes: number;
  at = 0;
  readonly trailers = undefined;

  constructor(bytes: number) {
    this.announcedBytes = bytes;
    this.state = bytes === 0 ? "whole" : "open";
  }

  next(bytes: Buffer, from: number): Buffer | undefined {
    const end = Math.min(bytes.length, from + this.announcedBytes);
    this.at = end;
    if (end === from) return undefined;
    this.announcedBytes -= end - from;
    if (this.announcedBytes === 0) this.state = "whole";
    return bytes.subarray(from, end);
  }
}

/** What is read next. A line's parts each have one, so that it may come apart anywhere. */
type Expected =
  | "size"
  | "extension"
  | "size-end"
  | "data"
  | "data-end"
  | "data-end-2"
  | "line"
  | "name"
  | "value"
  | "line-end"
  | "last-end";

/** More digits than any length has that a double holds exactly. */
const sizeDigitsMax = 16;
/** Bytes of a chunk's line that are not the size. */
const extensionBytesMax = 256;
/** What lines of chunks may cost beyond what the chunks are worth: many tiny chunks with long extensions are an attack. */
const excessBytesMax = 16 * 1024;

class ChunkCutter implements BodyCutter {
  state: "open" | "whole" | "malformed" = "open";
  at = 0;
  #expected: Expected = "size";
  #size = 0;
  #digits = 0;
  #extensionBytes = 0;
  #excessBytes = 0;
  /** The trailer section, as far as it has come. */
  #trailerText = "";
  #trailerLines = 0;

  get trailers(): HeaderList | undefined {
    return this.#trailerText === "" ? undefined : readTrailers(this.#trailerText);
  }

  get announcedBytes(): number {
    return this.#expected === "data" ? this.#size : 0;
  }

  /** Chunks are moved together where they lie, over what frames them: a piece for each would let the client decide how many there are. */
  next(bytes: Buffer, from: number): Buffer | undefined {
    let at = from;
    let start = -1;
    let end = -1;
    while (at < bytes.length && this.state === "open") {
      if (this.#expected !== "data") {
        this.#expected = this.#after(bytes[at++] as number);
        continue;
      }
      const length = Math.min(bytes.length - at, this.#size);
      if (start < 0) start = end = at;
      else bytes.copyWithin(end, at, at + length);
      at += length;
      end += length;
      this.#size -= length;
      if (this.#size === 0) this.#expected = "data-end";
    }
    this.at = at;
    return start < 0 ? undefined : bytes.subarray(start, end);
  }

  #after(byte: number): Expected {
    switch (this.#expected) {
      case "size":
        return this.#size_(byte);
      case "extension":
        return this.#extension(byte);
      case "size-end":
        return byte === lineFeed ? this.#sized() : this.#malformed();
      case "data-end":
        return byte === carriageReturn ? "data-end-2" : this.#malformed();
      case "data-end-2":
        return byte === lineFeed ? "size" : this.#malformed();
      case "line":
        if (byte === carriageReturn) return "last-end";
        return tokenBytes[byte] === 1 && ++this.#trailerLines <= trailerLinesMax ? this.#trailer(byte, "name") : this.#malformed();
      case "name":
        if (byte === colon) return this.#trailer(byte, "value");
        return tokenBytes[byte] === 1 ? this.#trailer(byte, "name") : this.#malformed();
      case "value":
        if (byte === carriageReturn) return this.#trailer(byte, "line-end");
        return valueBytes[byte] === 1 ? this.#trailer(byte, "value") : this.#malformed();
      case "line-end":
        return byte === lineFeed ? this.#trailer(byte, "line") : this.#malformed();
      case "last-end":
        if (byte !== lineFeed) return this.#malformed();
        this.state = "whole";
        return "last-end";
      case "data":
        return "data";
    }
  }

  #size_(byte: number): Expected {
    const digit = hexDigit(byte);
    if (digit >= 0) {
      this.#size = this.#size * 16 + digit;
      return ++this.#digits <= sizeDigitsMax && Number.isSafeInteger(this.#size) ? "size" : this.#malformed();
    }
    if (this.#digits === 0) return this.#malformed();
    if (byte === semicolon) return "extension";
    return byte === carriageReturn ? "size-end" : this.#malformed();
  }

  #extension(byte: number): Expected {
    if (byte === carriageReturn) return "size-end";
    return valueBytes[byte] === 1 && ++this.#extensionBytes <= extensionBytesMax ? "extension" : this.#malformed();
  }

  #sized(): Expected {
    // A line without extension is paid for, and so is one that brings as much data.
    this.#excessBytes = Math.max(0, this.#excessBytes + this.#extensionBytes - this.#size);
    if (this.#excessBytes > excessBytesMax) return this.#malformed();
    this.#digits = 0;
    this.#extensionBytes = 0;
    return this.#size === 0 ? "line" : "data";
  }

  #trailer(byte: number, next: Expected): Expected {
    if (this.#trailerText.length === trailerBytesMax) return this.#malformed();
    this.#trailerText += String.fromCharCode(byte);
    return next;
  }

  #malformed(): Expected {
    this.state = "malformed";
    return this.#expected;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}

/**
 * Bytes to text by a charset, and bodies of text/*.
 */
import { bodyFault, type BodyValue } from "./body-value.ts";
import { readScalar } from "./scalar.ts";
import type { Shape } from "./shape.ts";

export type Text =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly errors: ReturnType<typeof bodyFault>["errors"] };

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** Decodes UTF-8 strictly; a byte order mark is dropped. */
export function decodeUtf8(body: Uint8Array): Text {
  try {
    return { ok: true, text: utf8.decode(body) };
  } catch {
    return bodyFault("is not valid UTF-8");
  }
}

export function isUtf8(charset: string | undefined): boolean {
  return charset === undefined || /^(utf-?8|us-ascii|ascii)$/i.test(charset);
}

/** Decodes by any charset that the WHATWG Encoding Standard knows. */
export function decodeText(body: Uint8Array, charset: string | undefined): Text {
  if (isUtf8(charset)) return decodeUtf8(body);
  let decoder: TextDecoder;
  try {
    decoder = new TextDecoder(charset as Bun.Encoding, { fatal: true });
  } catch {
    return bodyFault(`has the unknown charset ${JSON.stringify(charset?.slice(0, 40))}: send UTF-8`);
  }
  try {
    return { ok: true, text: decoder.decode(body) };
  } catch {
    return bodyFault(`is not valid ${charset}`);
  }
}

/** Text is judged as a string, or as what else the schema asks for; a schema for objects says nothing of text. */
export function readTextBody(body: Uint8Array, charset: string | undefined, shape: Shape): BodyValue {
  const decoded = decodeText(body, charset);
  if (!decoded.ok) return decoded;
  const candidates = [readScalar(decoded.text, shape, "typed"), readScalar(decoded.text, shape, "text")];
  return { ok: true, candidates: candidates[0] === candidates[1] ? candidates.slice(0, 1) : candidates };
}

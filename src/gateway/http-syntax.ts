/** Which bytes may stand where in an HTTP/1.1 message (RFC 9110 §5.5 and §5.6.2, RFC 9112 §3). Tables, because each byte of a head is looked up once. */

export const tab = 0x09;
export const lineFeed = 0x0a;
export const carriageReturn = 0x0d;
export const space = 0x20;
export const colon = 0x3a;
export const semicolon = 0x3b;

function table(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (holds(byte) ? 1 : 0));
}

function isOneOf(characters: string): (byte: number) => boolean {
  return (byte) => characters.includes(String.fromCharCode(byte));
}

/** tchar: methods and header names. */
export const tokenBytes = table(isOneOf("!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"));
/** VCHAR, obs-text, space and tab: header values and chunk extensions. */
export const valueBytes = table((byte) => byte === tab || (byte >= space && byte !== 0x7f));
/** Visible ASCII but "#", which a client must not send. More than RFC 3986 has: `|`, `{` and the like are left to whoever routes. */
export const targetBytes = table((byte) => byte > space && byte < 0x7f && byte !== 0x23);

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export function isToken(text: string): boolean {
  return token.test(text);
}

/** Without the spaces and tabs around it (OWS, RFC 9110 §5.6.3), and no other white space. */
export function trimBlanks(text: string): string {
  let from = 0;
  let to = text.length;
  while (from < to && isBlank(text.charCodeAt(from))) from++;
  while (to > from && isBlank(text.charCodeAt(to - 1))) to--;
  return text.slice(from, to);
}

function isBlank(code: number): boolean {
  return code === space || code === tab;
}

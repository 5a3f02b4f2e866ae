/**
 * Text that came from outside (a path, a program's output) made safe for a line of a log: it can neither end the line,
 * nor send a command to the terminal that shows it, nor make it show something else than what it says.
 */

/*
 * Beyond the C0 controls: DEL and C1 (the 8-bit CSI), zero-width marks, line and paragraph separators, bidirectional
 * overrides and isolates (they reorder what is shown), the byte order mark.
 */
const unsafeAfterC0 = "\\u007f-\\u009f\\u200b-\\u200f\\u2028-\\u202e\\u2066-\\u2069\\ufeff";
const unsafeInJson = new RegExp(`[${unsafeAfterC0}]`);
const everyUnsafeInJson = new RegExp(unsafeInJson.source, "g");
const unsafe = new RegExp(`[\\u0000-\\u001f${unsafeAfterC0}]`);
const everyUnsafe = new RegExp(unsafe.source, "g");

const shortEscapes: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const escapeOf = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;

/** For a terminal: unsafe characters are shown as `\n`, `\t` or `\u001b`; halves of surrogate pairs as U+FFFD. */
export function escapeForTerminal(text: string): string {
  if (!unsafe.test(text)) return text;
  return text.replace(everyUnsafe, (character) => shortEscapes[character] ?? escapeOf(character));
}

/**
 * A value as one line of JSON (RFC 8259) without its line end, in which unsafe characters are escapes. `JSON.stringify`
 * escapes the C0 controls, and the others can stand nowhere but in its strings, where an escape means the same.
 */
export function toJsonLine(value: object): string {
  const line = JSON.stringify(value);
  return unsafeInJson.test(line) ? line.replace(everyUnsafeInJson, escapeOf) : line;
}

const needsEscapeInJson = new RegExp(`["\\\\\\u0000-\\u001f${unsafeAfterC0}\\ud800-\\udfff]`);

/** A text as a JSON string in which unsafe characters are escapes. Most hold nothing that needs one and are only put in quotes. */
export function jsonText(text: string): string {
  return needsEscapeInJson.test(text) ? stringToJson(text) : `"${text}"`;
}

function stringToJson(text: string): string {
  const json = JSON.stringify(text);
  return unsafeInJson.test(json) ? json.replace(everyUnsafeInJson, escapeOf) : json;
}

/** ".001" and its like, without zeros at the end: making text of a fraction is what costs most in a line. */
const thousandths = Array.from({ length: 1000 }, (_, count) =>
  count === 0 ? "" : `.${String(count).padStart(3, "0").replace(/0+$/, "")}`,
);

/** A number of thousandths as a JSON number of wholes: 12346 → "12.346". */
export function jsonNumber(count: number): string {
  // Beyond these the parts are no small integers; a clock that was set back makes negative ones.
  if (!(count >= 0 && count < 2 ** 31)) return JSON.stringify(count / 1000);
  const whole = (count / 1000) | 0;
  return `${whole}${thousandths[count - whole * 1000]}`;
}

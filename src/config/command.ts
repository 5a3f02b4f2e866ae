/**
 * `cmd`: the program of an operation. A text is split into words (tag `!ToSplit`, or none), a list is taken as it is (tag
 * `!Splitted`, or none). `{{jsonpayload}}` stands for the payload and stays in the words, spelled without spaces.
 */
import { argumentBytesMax, payloadPlaceholder } from "../core/program-arguments.ts";
import { nearest } from "../core/suggest.ts";
import { splitCommand } from "./command-words.ts";
import type { Reading } from "./reading.ts";
import type { Shape } from "./shape.ts";
import { refuseType } from "./shape.ts";
import { describeValue, quoted } from "./value.ts";
import type { List, Text, Value } from "./value.ts";

export type Command = readonly [string, ...string[]];

const expected = 'a command such as "php list.php", or a list of its words such as [php, list.php]';

export const command: Shape<Command> = {
  expected,
  read(value, name, reading) {
    const words =
      value.kind === "text"
        ? wordsOfText(value, name, reading)
        : value.kind === "list"
          ? wordsOfList(value, name, reading)
          : refuseType(value, name, expected, reading);
    return words === undefined ? undefined : checked(words, value, name, reading);
  },
  schema: () => ({
    anyOf: [
      { type: "string", minLength: 1 },
      { type: "array", items: { type: ["string", "number", "boolean"] }, minItems: 1 },
    ],
  }),
};

function wordsOfText(value: Text, name: string, reading: Reading): readonly string[] | undefined {
  if (value.tag === "!Splitted") {
    reading.error(
      value,
      `"${name}" is tagged !Splitted but is a text`,
      "Write a list: !Splitted [php, list.php], or tag the text !ToSplit",
    );
    return undefined;
  }
  refuseOtherTag(value, "!ToSplit", name, reading);
  const split = splitCommand(normalised(value.text));
  if (!split.ok) {
    reading.error(value, `"${name}" cannot be split into words: ${split.message}`, "Close it, or write the command as a list of words");
    return undefined;
  }
  const operator = split.words.find((word) => word.bare && shellOperators.test(word.text));
  if (operator !== undefined) {
    reading.warning(
      value,
      `No shell runs: ${quoted(operator.text)} in "${name}" is passed to the program as a word`,
      'For a shell\'s syntax write [sh, -c, "…"]; to pass the word on purpose put it in quotes',
    );
  }
  return split.words.map((word) => word.text);
}

const shellOperators = /^(\||\|\||&|&&|;|[0-9]?(>|>>|<|<<)(&[0-9-])?)$/;

function wordsOfList(value: List, name: string, reading: Reading): readonly string[] | undefined {
  if (value.tag === "!ToSplit") {
    reading.error(value, `"${name}" is tagged !ToSplit but is a list`, 'Write a text: !ToSplit "php list.php", or tag the list !Splitted');
    return undefined;
  }
  refuseOtherTag(value, "!Splitted", name, reading);
  const words = value.items.map((item, position) => wordOf(item, `${name}[${position}]`, reading));
  return words.every((word) => word !== undefined) ? words : undefined;
}

/** Numbers and booleans are words as they are written: [sleep, 1.50]. */
function wordOf(item: Value, name: string, reading: Reading): string | undefined {
  if (item.kind === "text" || item.kind === "number" || item.kind === "boolean") return normalised(item.text);
  const hint =
    item.kind === "mapping" ? `Put quotes around a word that starts with {, such as "${payloadPlaceholder}"` : "Put quotes around the word";
  reading.error(item, `"${name}" must be a word of the command, found ${describeValue(item)}`, hint);
  return undefined;
}

function refuseOtherTag(value: Value, own: string, name: string, reading: Reading): void {
  if (value.tag === undefined || value.tag === own) return;
  const near = nearest(value.tag, ["!ToSplit", "!Splitted"]);
  reading.error(
    value,
    `Unknown tag "${value.tag}" at "${name}"`,
    near === undefined ? "Known: !ToSplit for a text, !Splitted for a list" : `Did you mean ${near}?`,
  );
}

function checked(words: readonly string[], value: Value, name: string, reading: Reading): Command | undefined {
  const [executable, ...rest] = words;
  const wrong = (message: string, hint?: string): undefined => void reading.error(value, message, hint);
  if (executable === undefined || executable === "") return wrong(`"${name}" names no program`, "Its first word is the program to start");
  if (words.some((word) => word.includes("\0"))) return wrong(`"${name}" holds a NUL character`);
  if (executable.includes(payloadPlaceholder))
    return wrong(`"${name}" starts with ${payloadPlaceholder}: the payload cannot choose the program`, "Put the program before it");
  const long = words.find((word) => Buffer.byteLength(word) > argumentBytesMax);
  if (long !== undefined)
    return wrong(`"${name}" has a word of ${Buffer.byteLength(long)} bytes; the kernel takes ${argumentBytesMax} at most`);
  for (const [, inner = ""] of words.join(" ").matchAll(/\{\{\s*(\w+)\s*\}\}/g)) {
    if (inner !== "jsonpayload" && nearest(inner, ["jsonpayload", "payload"]) !== undefined) {
      reading.warning(value, `"{{${inner}}}" in "${name}" is passed to the program as it is`, `Did you mean ${payloadPlaceholder}?`);
    }
  }
  return [executable, ...rest];
}

function normalised(text: string): string {
  return text.replaceAll(/\{\{\s*jsonpayload\s*\}\}/g, payloadPlaceholder);
}

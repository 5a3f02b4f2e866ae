/**
 * `cmd`: the program of an operation, or of a service. A text is split into words (tag `!ToSplit`, or none), a list is taken as it
 * is (tag `!Splitted`, or none). What stands for something else (`{{jsonpayload}}`, `{{port}}`) stays in the words, spelled without
 * spaces.
 */
import { argumentBytesMax, hostPlaceholder, payloadPlaceholder, portPlaceholder } from "../core/program-arguments.ts";
import { nearest } from "../core/suggest.ts";
import { splitCommand } from "./command-words.ts";
import type { Reading } from "./reading.ts";
import type { Shape } from "./shape.ts";
import { refuseType } from "./shape.ts";
import { describeValue, quoted } from "./value.ts";
import type { List, Text, Value } from "./value.ts";

export type Command = readonly [string, ...string[]];

export interface CommandRules {
  /** An example as it is written in a text, and as a list. */
  readonly text: string;
  readonly list: string;
  /** What may stand for something else, each with other words that mean it: they are asked about. */
  readonly placeholders: Readonly<Record<string, readonly string[]>>;
  /** Why the program itself cannot be one: "the payload cannot choose the program". */
  readonly notFirst: string;
}

/** Of a program that is started for every request. */
export const programCommand = commandOf({
  text: "php list.php",
  list: "[php, list.php]",
  placeholders: { [payloadPlaceholder]: ["payload"] },
  notFirst: "the payload cannot choose the program",
});

/** Of a daemon. */
export const serviceCommand = commandOf({
  text: "bun server.ts",
  list: "[bun, server.ts]",
  placeholders: { [portPlaceholder]: [], [hostPlaceholder]: ["address"] },
  notFirst: "it is no program",
});

function commandOf(rules: CommandRules): Shape<Command> {
  const expected = `a command such as "${rules.text}", or a list of its words such as ${rules.list}`;
  return {
    expected,
    read(value, name, reading) {
      const words =
        value.kind === "text"
          ? wordsOfText(value, name, rules, reading)
          : value.kind === "list"
            ? wordsOfList(value, name, rules, reading)
            : refuseType(value, name, expected, reading);
      return words === undefined ? undefined : checked(words, value, name, rules, reading);
    },
    schema: () => ({
      anyOf: [
        { type: "string", minLength: 1 },
        { type: "array", items: { type: ["string", "number", "boolean"] }, minItems: 1 },
      ],
    }),
  };
}

function wordsOfText(value: Text, name: string, rules: CommandRules, reading: Reading): readonly string[] | undefined {
  if (value.tag === "!Splitted") {
    reading.error(value, `"${name}" is tagged !Splitted but is a text`, `Write a list: !Splitted ${rules.list}, or tag the text !ToSplit`);
    return undefined;
  }
  refuseOtherTag(value, "!ToSplit", name, reading);
  const split = splitCommand(normalised(value.text, rules));
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

function wordsOfList(value: List, name: string, rules: CommandRules, reading: Reading): readonly string[] | undefined {
  if (value.tag === "!ToSplit") {
    reading.error(value, `"${name}" is tagged !ToSplit but is a list`, `Write a text: !ToSplit "${rules.text}", or tag the list !Splitted`);
    return undefined;
  }
  refuseOtherTag(value, "!Splitted", name, reading);
  const words = value.items.map((item, position) => wordOf(item, `${name}[${position}]`, rules, reading));
  return words.every((word) => word !== undefined) ? words : undefined;
}

/** Numbers and booleans are words as they are written: [sleep, 1.50]. */
function wordOf(item: Value, name: string, rules: CommandRules, reading: Reading): string | undefined {
  if (item.kind === "text" || item.kind === "number" || item.kind === "boolean") return normalised(item.text, rules);
  const [placeholder = ""] = Object.keys(rules.placeholders);
  const hint =
    item.kind === "mapping" ? `Put quotes around a word that starts with {, such as "${placeholder}"` : "Put quotes around the word";
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

function checked(words: readonly string[], value: Value, name: string, rules: CommandRules, reading: Reading): Command | undefined {
  const [executable, ...rest] = words;
  const wrong = (message: string, hint?: string): undefined => void reading.error(value, message, hint);
  if (executable === undefined || executable === "") return wrong(`"${name}" names no program`, "Its first word is the program to start");
  if (words.some((word) => word.includes("\0"))) return wrong(`"${name}" holds a NUL character`);
  const first = Object.keys(rules.placeholders).find((placeholder) => executable.includes(placeholder));
  if (first !== undefined) return wrong(`"${name}" starts with ${first}: ${rules.notFirst}`, "Put the program before it");
  const long = words.find((word) => Buffer.byteLength(word) > argumentBytesMax);
  if (long !== undefined)
    return wrong(`"${name}" has a word of ${Buffer.byteLength(long)} bytes; the kernel takes ${argumentBytesMax} at most`);
  for (const [written, inner = ""] of words.join(" ").matchAll(/\{\{\s*(\w+)\s*\}\}/g)) {
    const meant = meantBy(inner, rules);
    if (meant === undefined || meant === written) continue;
    reading.warning(value, `"{{${inner}}}" in "${name}" is passed to the program as it is`, `Did you mean ${meant}?`);
  }
  return [executable, ...rest];
}

/** The placeholder that a word between braces is, or was nearly. */
function meantBy(inner: string, { placeholders }: CommandRules): string | undefined {
  const words = new Map(
    Object.entries(placeholders).flatMap(([placeholder, others]) =>
      [placeholder.slice(2, -2), ...others].map((word) => [word, placeholder] as const),
    ),
  );
  return words.get(nearest(inner, words.keys()) ?? inner);
}

function normalised(text: string, { placeholders }: CommandRules): string {
  return text.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (written, inner: string) => (`{{${inner}}}` in placeholders ? `{{${inner}}}` : written));
}

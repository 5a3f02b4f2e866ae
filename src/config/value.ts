/**
 * A service file's content as its checker sees it: plain values that know where they stand. YAML's own notions (anchors,
 * aliases, merge keys, tags) end here; what is left is what JSON has, plus the tag that a person wrote.
 */

/** Where something stands: an offset into the file's text. */
export interface Spot {
  readonly offset: number;
}

export type Value = Mapping | List | Text | Numeral | Flag | Nothing;

interface Valued extends Spot {
  /** A tag of the file's author, such as "!ToSplit"; YAML's own ("!!str") were applied and are gone. */
  readonly tag?: string;
}

export interface Mapping extends Valued {
  readonly kind: "mapping";
  /** In the order of the file; each key once. */
  readonly entries: readonly Entry[];
}

export interface Entry {
  readonly key: Text;
  readonly value: Value;
  /** It came through a merge key (`<<`), so that the mapping's own spelling of the key goes before it. */
  readonly merged: boolean;
}

export interface List extends Valued {
  readonly kind: "list";
  readonly items: readonly Value[];
}

export interface Text extends Valued {
  readonly kind: "text";
  readonly text: string;
}

export interface Numeral extends Valued {
  readonly kind: "number";
  readonly number: number;
  /** As it was written: "1.10" is not "1.1". */
  readonly text: string;
}

export interface Flag extends Valued {
  readonly kind: "boolean";
  readonly boolean: boolean;
  /** As it was written: "true", "True". */
  readonly text: string;
}

export interface Nothing extends Valued {
  readonly kind: "nothing";
}

/** Longest piece of a file that a message repeats. */
const shownLengthMax = 60;

/** What was found, for a message: `the text "abc"`, `the number 5`, `a list`, `nothing`. */
export function describeValue(value: Value): string {
  switch (value.kind) {
    case "mapping":
      return "a mapping";
    case "list":
      return "a list";
    case "text":
      return `the text ${quoted(value.text)}`;
    case "number":
      return `the number ${shortened(value.text)}`;
    case "boolean":
      return value.text;
    case "nothing":
      return "nothing";
  }
}

/** A piece of the file in quotes, cut when long, its control characters escaped. */
export function quoted(text: string): string {
  return JSON.stringify(shortened(text));
}

function shortened(text: string): string {
  return text.length > shownLengthMax ? `${text.slice(0, shownLengthMax - 1)}…` : text;
}

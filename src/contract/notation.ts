/**
 * Finds what is given for one name, by its `style` and `explode`, in whichever part of a request it is looked for.
 */
import { emptyRecord } from "../core/record.ts";
import type { Pair } from "./query.ts";
import type { Shape } from "./shape.ts";
import {
  invalid,
  isBracketed,
  readDeepObject,
  readText,
  readValues,
  type Decode,
  type Form,
  type Reading,
  type Strings,
  type Style,
} from "./styles.ts";

/** How a value is written. */
export interface Notation {
  readonly name: string;
  readonly style: Style;
  readonly explode: boolean;
  /** Whether an exploded object may be written as names of its own, `colour=red`; so it is unless this is false. */
  readonly loose?: boolean;
  readonly allowEmptyValue: boolean;
  readonly shape: Shape;
  /** The value is written as a media type of its own: JSON, or plain text. */
  readonly content: "json" | "text" | undefined;
}

/** What a parameter's notation offers: nothing, an empty value that is allowed, a fault, or one or more readings. */
export type Found =
  | { readonly kind: "absent" }
  | { readonly kind: "empty" }
  | { readonly kind: "fault"; readonly message: string }
  | { readonly kind: "found"; readonly readings: readonly Strings[] };

/** The notations to try: a schema may allow a list and a lone value. */
function formsOf(shape: Shape): readonly Form[] {
  const types = shape.types;
  if (!types) return ["scalar"];
  const forms: Form[] = [];
  if (types.has("array")) forms.push("array");
  if (types.has("object")) forms.push("object");
  if ([...types].some((type) => type !== "array" && type !== "object")) forms.push("scalar");
  return forms;
}

/** Reads a path segment or a header field; `otherwise` is how else some clients encode it. */
export function findText(notation: Notation, raw: string | undefined, decode: Decode, otherwise?: Decode): Found {
  if (raw === undefined) return { kind: "absent" };
  if (notation.content) return reading(notation, [decode(raw) ?? invalid]);
  const decodings = otherwise && raw.includes("%") ? [decode, otherwise] : [decode];
  const readings = decodings.flatMap((one) =>
    formsOf(notation.shape).flatMap((form) => readText(raw, notation.name, notation.style, notation.explode, form, one)),
  );
  return reading(notation, readings);
}

function reading(notation: Notation, readings: readonly Reading[]): Found {
  const good = readings.filter((one) => one !== invalid);
  if (good.length > 0) return { kind: "found", readings: good };
  const rule =
    notation.style === "label"
      ? ': it must begin with "."'
      : notation.style === "matrix"
        ? `: it must be written ";${notation.name}=…"`
        : ": its percent-encoding is invalid";
  return { kind: "fault", message: `cannot be read${rule}` };
}

/** Reads what a query, a cookie or a form gives a name. `claimed` names belong to others. */
export function findPairs(notation: Notation, pairs: readonly Pair[], claimed: ReadonlySet<string>, decode: Decode): Found {
  const { name, shape } = notation;
  const forms = formsOf(shape);
  const values = pairs.filter((pair) => pair.name === name).map((pair) => pair.raw);
  if (notation.content) {
    if (values.length === 0) return { kind: "absent" };
    return values.length > 1 ? givenTimes(values.length) : reading(notation, [decode(values[0] ?? "") ?? invalid]);
  }
  if (forms.includes("object") && values.length === 0) {
    const object = findObject(notation, pairs, claimed, decode);
    if (object !== undefined) return reading(notation, [object]);
  }
  const listed =
    forms.includes("array") && values.length === 0 ? pairs.filter((pair) => isListItem(pair.name, name)).map((pair) => pair.raw) : [];
  const all = values.length > 0 ? values : listed;
  if (all.length === 0) return { kind: "absent" };
  if (notation.allowEmptyValue && all.length === 1 && all[0] === "") return { kind: "empty" };
  if (all.length > 1 && !forms.includes("array") && !(forms.includes("object") && !notation.explode)) return givenTimes(all.length);
  const usable = forms.filter((form) => form !== "scalar" || all.length === 1);
  return reading(
    notation,
    usable.flatMap((form) => readValues(all, notation.style, notation.explode, form, decode)),
  );
}

function givenTimes(times: number): Found {
  return { kind: "fault", message: `must be given once, is given ${times} times` };
}

/** `ids[]=1` and `ids[0]=1`, which many clients write for `ids=1`. */
function isListItem(pairName: string, name: string): boolean {
  return isBracketed(pairName, name) && /^[0-9]*$/.test(pairName.slice(name.length + 1, -1));
}

/** An object whose properties are names of their own: `filter[colour]=red`, or exploded `colour=red`. */
function findObject(notation: Notation, pairs: readonly Pair[], claimed: ReadonlySet<string>, decode: Decode): Reading | undefined {
  const { name, shape, style } = notation;
  if (style === "deepObject" || pairs.some((pair) => isBracketed(pair.name, name))) return readDeepObject(pairs, name, decode);
  if (!notation.explode || notation.loose === false) return undefined;
  const others = shape.speaksOfOthers;
  const out = emptyRecord<Strings>();
  for (const pair of pairs) {
    if (!shape.declares(pair.name) && (!others || isClaimed(pair.name, claimed))) continue;
    const value = decode(pair.raw);
    if (value === undefined) return invalid;
    const there = out[pair.name];
    out[pair.name] = there === undefined ? value : [...(Array.isArray(there) ? (there as readonly Strings[]) : [there]), value];
  }
  return Object.keys(out).length > 0 ? out : undefined;
}

/** Whether a name is another's: its own, or one with brackets, `search[name]`. */
function isClaimed(pairName: string, claimed: ReadonlySet<string>): boolean {
  const bracket = pairName.indexOf("[");
  return claimed.has(pairName) || (bracket > 0 && claimed.has(pairName.slice(0, bracket)));
}

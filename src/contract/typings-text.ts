/** Pieces of TypeScript as text: how types go together, and how names, values and comments are written. */

/** A type as text, and what has to be known to put it into another. */
export interface TypeText {
  readonly text: string;
  /** Members of a union or an intersection, where it is one. */
  readonly members?: readonly TypeText[];
  readonly joined?: "|" | "&";
}

export const atom = (text: string): TypeText => ({ text });
export const unknownType: TypeText = atom("unknown");
export const neverType: TypeText = atom("never");
export const nullType: TypeText = atom("null");

/** Unions that are longer than this have a line for each member. */
const lineLengthMax = 110;

export function union(types: readonly TypeText[]): TypeText {
  const members = distinct(types.flatMap((type) => (type.joined === "|" ? (type.members ?? []) : [type]))).filter(
    ({ text }) => text !== "never",
  );
  if (members.some(({ text }) => text === "unknown")) return unknownType;
  const [first] = members;
  if (first === undefined) return neverType;
  if (members.length === 1) return first;
  const texts = members.map((member) => bracketed(member, "&"));
  const line = texts.join(" | ");
  const isLong = line.length > lineLengthMax && !line.includes("\n") && members.length > 2;
  return { text: isLong ? `\n${indented(texts.map((text) => `| ${text}`).join("\n"))}` : line, members, joined: "|" };
}

export function intersection(types: readonly TypeText[]): TypeText {
  const members = distinct(types.flatMap((type) => (type.joined === "&" ? (type.members ?? []) : [type]))).filter(
    ({ text }) => text !== "unknown",
  );
  const [first] = members;
  if (first === undefined) return unknownType;
  if (members.length === 1) return first;
  return { text: members.map((member) => bracketed(member, "|")).join(" & "), members, joined: "&" };
}

export const listOfType = (item: TypeText): TypeText => atom(item.joined === undefined ? `${item.text}[]` : `(${item.text})[]`);

/** One member of an object type, with its comment. */
export function memberText(key: string, isOptional: boolean, type: TypeText, comment: string): string {
  return `${comment}${key}${isOptional ? "?" : ""}: ${type.text};`;
}

export function objectText(members: readonly string[]): TypeText {
  return atom(members.length === 0 ? "Record<string, never>" : `{\n${indented(members.join("\n"))}\n}`);
}

export function indented(text: string): string {
  return text.replace(/^(?=.)/gm, "  ");
}

const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;

/** A member's name, quoted where it has to be. */
export function keyText(name: string): string {
  return identifier.test(name) ? name : JSON.stringify(name);
}

/** A JSON value as a type. */
export function literal(value: unknown): TypeText {
  if (Array.isArray(value)) return atom(`[${value.map((item) => literal(item).text).join(", ")}]`);
  if (typeof value === "object" && value !== null)
    return objectText(Object.entries(value).map(([key, inner]) => memberText(keyText(key), false, literal(inner), "")));
  return atom(JSON.stringify(value) ?? "unknown");
}

/** A doc comment of these paragraphs, with its newline; "" of none. */
export function commentText(paragraphs: readonly (string | undefined)[]): string {
  const lines = paragraphs
    .filter((paragraph) => paragraph !== undefined && paragraph.trim() !== "")
    .flatMap((paragraph) => (paragraph ?? "").trim().split(/\r\n|[\n\r\u2028\u2029]/))
    .map((line) => line.trimEnd().replaceAll("*/", "*\\/"));
  if (lines.length === 0) return "";
  if (lines.length === 1) return `/** ${lines[0]} */\n`;
  return `/**\n${lines.map((line) => (line === "" ? " *" : ` * ${line}`)).join("\n")}\n */\n`;
}

/** Words that cannot name a type, and names that what is written uses itself. */
const taken = new Set(
  (
    "any as async await bigint boolean break case catch class const continue debugger default delete do else enum export extends false " +
    "finally for from function get if implements import in infer instanceof interface is keyof let module namespace never new null " +
    "number object of package private protected public readonly require return set static string super switch symbol this throw true " +
    "try type typeof undefined unique unknown var void while with yield " +
    "Pick Record Required Uint8Array components operations"
  ).split(" "),
);

/** A name for a type after one of a schema: "pet-tag" → pet_tag. */
export function typeName(name: string, isTaken: (candidate: string) => boolean): string {
  const plain = name.replace(/[^\p{ID_Continue}$]/gu, "_");
  const legal = identifier.test(plain) && !taken.has(plain) ? plain : `_${plain}`;
  let free = legal;
  for (let count = 2; isTaken(free); count += 1) free = `${legal}_${count}`;
  return free;
}

/** Members of a union or intersection that stand within another kind of them. */
function bracketed({ text, joined }: TypeText, other: "|" | "&"): string {
  return joined === undefined || joined !== other ? text : `(${text})`;
}

function distinct(types: readonly TypeText[]): TypeText[] {
  return [...new Map(types.map((type) => [type.text, type])).values()];
}

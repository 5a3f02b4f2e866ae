/** `function: src/pets.ts#addPet`: a source file and one of its exports. */
import type { Refusal, Shape } from "./shape.ts";
import { refuseTag, refuseType } from "./shape.ts";
import { quoted } from "./value.ts";

export interface WrittenReference {
  /** As written. */
  readonly file: string;
  /** Absent: the file alone was written. */
  readonly export?: string;
}

const expected = "a source file and its export, such as src/pets.ts#addPet";
const example = "Write a file and the name of its export, such as src/pets.ts#addPet";

/** ECMAScript's IdentifierName, which `default` is too: exports under other names (`export { a as "b c" }`) cannot be named here. */
const identifier = /^[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

export const functionReference: Shape<WrittenReference> = {
  expected,
  read(value, name, reading) {
    refuseTag(value, name, reading);
    if (value.kind !== "text") return refuseType(value, name, expected, reading);
    const refusal = refuseReference(value.text);
    if (refusal === undefined) return splitReference(value.text);
    reading.error(value, refusal.message, refusal.hint);
    return undefined;
  },
  schema: () => ({ type: "string", pattern: String.raw`^[^#]*[^#\s][^#]*(#[^#\s]+)?$` }),
};

function splitReference(written: string): WrittenReference {
  const mark = written.lastIndexOf("#");
  return mark < 0 ? { file: written } : { file: written.slice(0, mark), export: written.slice(mark + 1) };
}

function refuseReference(written: string): Refusal | undefined {
  if (written.includes("\0")) return { message: "A reference to a function holds a NUL character" };
  const { file, export: name } = splitReference(written);
  if (file.trim() === "") return { message: `The function ${quoted(written)} names no file`, hint: example };
  if (file.includes("#")) return { message: `The function ${quoted(written)} holds more than one #`, hint: example };
  if (name === "")
    return { message: `The function ${quoted(written)} names no export after its #`, hint: `${example}, or leave out the # too` };
  if (name !== undefined && !identifier.test(name))
    return { message: `The export ${quoted(name)} of the function ${quoted(written)} is not an identifier`, hint: example };
  return undefined;
}

/** From a file and an export as they were written to a function that can be built. */
import { extname, relative, resolve, sep } from "node:path";
import type { FunctionReference } from "./app.ts";
import type { Context } from "./context.ts";
import type { Located } from "./fields.ts";
import type { WrittenReference } from "./function-reference.ts";
import { kindOf } from "./machine.ts";
import { quoted } from "./value.ts";
import type { Spot } from "./value.ts";

const sourceExtension = /^\.[cm]?[jt]sx?$/;

/** A function that the service file names. The context's reading is told what is wrong with its file. */
export function functionOf({ value, at }: Located<WrittenReference>, context: Context): FunctionReference | undefined {
  const file = sourceFileOf(value.file, at, context);
  if (file === undefined) return undefined;
  return { file, export: value.export ?? "default", named: value.export !== undefined, place: context.reading.placeOf(at) };
}

/** The absolute path of a source file of functions, which has to be there, in the app's folder. */
export function sourceFileOf(written: string, at: Spot, { folder, reading }: Context): string | undefined {
  const file = resolve(folder, written);
  const within = relative(folder, file);
  const kind = kindOf(file);
  if (kind !== "file") reading.lack(file);
  if (within === ".." || within.startsWith(`..${sep}`))
    reading.error(
      at,
      `The file of functions ${quoted(written)} is outside of the app's folder`,
      `It is ${file}; move it into ${folder}. What it imports may lie elsewhere`,
    );
  else if (kind === "missing") reading.error(at, `Cannot find the file of functions ${quoted(written)}`, `There is no ${file}`);
  else if (kind !== "file") reading.error(at, `The file of functions ${quoted(written)} is not a file that can be read`, `It is ${file}`);
  else if (!sourceExtension.test(extname(file)))
    reading.error(
      at,
      `The file of functions ${quoted(written)} is neither TypeScript nor JavaScript`,
      "A program in another language is started by `inject:` with `cmd:`",
    );
  else return file;
  return undefined;
}

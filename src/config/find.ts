/** Finds an app's service file and reads its text. */
import { accessSync, constants, readdirSync } from "node:fs";
import { readFile, stat } from "node:fs/promises";
import { basename, dirname, extname, join } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import { shellWord } from "../core/shell-word.ts";
import { nearest } from "../core/suggest.ts";
import { reasonOf } from "../core/system-error.ts";
import { formatSize } from "../core/units.ts";
import { kindOf } from "./machine.ts";

export const serviceFileNames = ["urocket-service.yaml", "urocket-service.yml", "urocket-service.json"] as const;

/** Bytes; a service file of a thousand operations has about 200 KiB. */
export const serviceFileBytesMax = 1024 * 1024;

export type FoundText =
  | { readonly ok: true; readonly file: string; readonly text: string }
  | { readonly ok: false; readonly problem: Diagnostic };

/** The one service file of a folder (absolute), as text without its byte order mark. */
export async function findServiceFile(folder: string): Promise<FoundText> {
  const kind = kindOf(folder);
  if (kind === "file") return refuse(folder, "An app is a folder, and this is a file", `Give its folder: ${dirname(folder)}`);
  if (kind !== "folder") return refuse(folder, kind === "missing" ? "There is no such folder" : "This is not a folder that can be read");
  const closed = whyClosed(folder);
  if (closed !== undefined)
    return refuse(
      folder,
      `Cannot read the folder ${basename(folder)}: ${closed}`,
      `Let the user who runs urocket enter it: chmod a+rx ${shellWord(folder)}`,
    );
  const there = serviceFileNames.filter((name) => kindOf(join(folder, name)) !== "missing");
  const [name, second] = there;
  if (name === undefined)
    return refuse(
      folder,
      `There is no service file in ${basename(folder)}`,
      renaming(folder) ?? `Create ${serviceFileNames[0]}, or run \`urocket init\` to start an app`,
    );
  if (second !== undefined) return refuse(folder, `There is more than one service file: ${there.join(" and ")}`, "Keep one of them");
  return readText(join(folder, name));
}

/** Why what is in a folder cannot be told from what is not. */
function whyClosed(folder: string): string | undefined {
  try {
    accessSync(folder, constants.X_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** A file that is meant as the service file but is not called so: "urocket.yml", "urocket-servce.yaml". */
function renaming(folder: string): string | undefined {
  const names = namesIn(folder).filter((name) => [".yaml", ".yml", ".json"].includes(extname(name).toLowerCase()));
  const meant = names.find((name) => /^\.?urocket\b/i.test(name) || nearest(name, serviceFileNames) !== undefined);
  if (meant === undefined) return undefined;
  const name = nearest(meant, serviceFileNames) ?? `urocket-service${extname(meant).toLowerCase()}`;
  return `If ${meant} is meant, rename it: mv ${shellWord(join(folder, meant))} ${shellWord(join(folder, name))}`;
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

async function readText(file: string): Promise<FoundText> {
  try {
    const found = await stat(file);
    if (!found.isFile())
      return refuse(
        file,
        `The service file is ${found.isDirectory() ? "a folder" : "not a file"}`,
        "Move it away, and write the service file in its place",
      );
    if (found.size > serviceFileBytesMax)
      return refuse(
        file,
        `The service file is larger than ${formatSize(serviceFileBytesMax)} (${found.size} bytes)`,
        "Split the app into several",
      );
    return decode(file, await readFile(file));
  } catch (error) {
    return refuse(
      file,
      `Cannot read the service file: ${reasonOf(error)}`,
      `Let the user who runs urocket read it: chmod a+r ${shellWord(file)}`,
    );
  }
}

function decode(file: string, bytes: Uint8Array): FoundText {
  try {
    // Takes the byte order mark away.
    return { ok: true, file, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    return refuse(file, "The service file is not UTF-8", "Save it as UTF-8");
  }
}

function refuse(file: string, message: string, hint?: string): FoundText {
  return { ok: false, problem: { severity: "error", file, message, ...(hint === undefined ? {} : { hint }) } };
}

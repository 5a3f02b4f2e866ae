/** Files of an app that the user of its containers may not read: found before somebody wonders. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { shellWord } from "../core/shell-word.ts";

/** Entries that are looked at; what comes after them is not. */
const entriesMax = 5_000;
/** Named at most. */
const namedMax = 3;
const othersRead = 0o004;
const othersPass = 0o001;

/**
 * @param folder the app's.
 * @returns sentences; none: everything that was looked at can be read.
 */
export async function unreadableFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const waiting = [""];
  let looked = 0;
  for (let inFolder = waiting.shift(); inFolder !== undefined && looked < entriesMax; inFolder = waiting.shift()) {
    const path = join(folder, inFolder);
    const info = await stat(path).catch(() => undefined);
    if (info === undefined) continue;
    const needed = othersRead | othersPass;
    if ((info.mode & needed) !== needed) {
      found.push(inFolder);
      continue;
    }
    for (const entry of await readdir(path, { withFileTypes: true }).catch(() => [])) {
      if (entry.name === ".git" || ++looked > entriesMax) continue;
      const name = join(inFolder, entry.name);
      if (entry.isDirectory()) waiting.push(name);
      else if (entry.isFile() && !(await mayBeRead(join(folder, name)))) found.push(name);
    }
  }
  if (found.length === 0) return [];
  const named = found.slice(0, namedMax).map((name) => shellWord(join(folder, name)));
  const others = found.length - named.length;
  const files = `${named.join(", ")}${others > 0 ? ` and ${others} more` : ""}`;
  return [`${files} cannot be read in its containers, whose user is none of the host's: chmod o+rX ${named.join(" ")}`];
}

async function mayBeRead(file: string): Promise<boolean> {
  const info = await stat(file).catch(() => undefined);
  return info === undefined || (info.mode & othersRead) !== 0;
}

/**
 * The files of the app that its daemon is made of, as far as they can be told: a change of one is a change of the app. They are those
 * that its command names, and what scripts of TypeScript and JavaScript among them import of the app.
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, extname, resolve, sep } from "node:path";
import type { App } from "../config/app.ts";
import { kindOf } from "../config/machine.ts";

/** Files that are looked for at most; a daemon of more is watched in part. */
export const serviceSourcesMax = 1000;
const sourceBytesMax = 2 ** 20;

const script = /^\.[cm]?[jt]sx?$/;

/** Absolute, each once. Empty for an app without a service. */
export function serviceSources({ folder, service }: App): readonly string[] {
  if (service === undefined) return [];
  const root = realpathSync(folder);
  const found = new Set<string>();
  const add = (file: string): void => {
    if (found.size < serviceSourcesMax && isOfApp(file, folder, root)) found.add(file);
  };
  for (const word of service.argv) add(resolve(service.wd, word));
  // A set is walked to its end, also to what is added on the way.
  for (const file of found) for (const imported of importsOf(file)) add(imported);
  return [...found];
}

function isOfApp(file: string, folder: string, root: string): boolean {
  const within = file.startsWith(folder + sep) || file.startsWith(root + sep);
  return within && !file.includes(`${sep}node_modules${sep}`) && kindOf(file) === "file";
}

function importsOf(file: string): readonly string[] {
  const extension = extname(file);
  if (!script.test(extension)) return [];
  try {
    const bytes = readFileSync(file);
    if (bytes.length > sourceBytesMax) return [];
    const loader = extension.endsWith("x") ? "tsx" : "ts";
    return new Bun.Transpiler({ loader }).scanImports(bytes).flatMap(({ path }) => resolved(path, dirname(file)));
  } catch {
    // The daemon itself will say what is wrong with it.
    return [];
  }
}

/** Packages are not the app's own, and change by being installed. */
function resolved(path: string, from: string): readonly string[] {
  if (!path.startsWith(".") && !path.startsWith("/")) return [];
  try {
    return [Bun.resolveSync(path, from)];
  } catch {
    return [];
  }
}

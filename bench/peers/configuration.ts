/** Peers' configuration files: templates beside this file, with places for what only a run knows. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";

/**
 * Writes a template with its `@NAME@`s filled in; `@FOLDER@` is the run's folder, `@USER@` nginx's directive.
 *
 * @returns the file that was written. @throws when a place is left unfilled.
 */
export function configure(ground: Ground, template: string, name: string, values: Readonly<Record<string, string>>): string {
  // As root, nginx would give its workers to nobody, who may not speak to our sockets.
  const user = process.getuid?.() === 0 ? "user root;" : "";
  const all = Object.entries({ FOLDER: ground.folder, USER: user, NAME: name, ...values });
  const text = all.reduce(
    (filled, [key, value]) => filled.replaceAll(`@${key}@`, value),
    readFileSync(join(import.meta.dir, template), "utf8"),
  );
  const left = /@[A-Z_-]+@/.exec(text);
  if (left !== null) throw new Error(`Cannot configure ${name}: nothing is given for ${left[0]} in ${template}`);
  const file = join(ground.folder, `${name}-${template}`);
  writeFileSync(file, text);
  return file;
}

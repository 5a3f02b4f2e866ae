/** App folders for tests: written to a temporary place from strings, or copied from an example, and removed afterwards. */
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";

export interface AppFolder extends Disposable {
  readonly folder: string;
  /** Writes a file of the app; one that starts with "#!" becomes executable. */
  write(name: string, text: string): void;
  /** Text of a file of the app. */
  read(name: string): string;
  path(name: string): string;
}

/** The repository's root. */
export const root = resolve(import.meta.dir, "..");

/** An app of these files, by name. */
export function appOf(files: Readonly<Record<string, string>>): AppFolder {
  const app = emptyApp();
  for (const [name, text] of Object.entries(files)) app.write(name, text);
  return app;
}

/** A copy of an example, so that what it writes does not land in the repository. */
export function copyOfExample(name: string): AppFolder {
  const app = emptyApp();
  cpSync(join(root, "examples", name), app.folder, { recursive: true, filter: (source) => !source.endsWith("/data") });
  return app;
}

function emptyApp(): AppFolder {
  // The folder's name is the app's default name, so it has to be a label.
  const parent = mkdtempSync(join(tmpdir(), "urocket-test-"));
  const folder = join(parent, "app");
  mkdirSync(folder);
  return {
    folder,
    write: (name, text) => {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
      if (text.startsWith("#!")) chmodSync(join(folder, name), 0o755);
    },
    read: (name) => readFileSync(join(folder, name), "utf8"),
    path: (name) => join(folder, name),
    [Symbol.dispose]: () => rmSync(parent, { recursive: true, force: true }),
  };
}

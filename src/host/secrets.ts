/**
 * An app's secrets on their way from where the operator keeps them to where its instances read them: each a file of its own,
 * so that none is ever an argument, an environment value or a line of a log. Programs that run as another user get a copy that
 * is theirs alone.
 */
import { chownSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../config/app.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { reasonOf } from "../core/system-error.ts";
import { findUser } from "../core/users.ts";

/** Bytes of one secret. Keys and certificates are far below. */
const secretBytesMax = 64 * 1024;

/** What is wrong with an app's secrets, each with the next step. */
export function checkSecrets({ file, name, secrets }: App, from: string | undefined): readonly Diagnostic[] {
  if (secrets.length === 0) return [];
  const about = (message: string, hint: string): Diagnostic => ({ severity: "error", file, message, hint });
  if (from === undefined) {
    const hint =
      "Put each into a file of its name, and name their folder with --secrets DIR (systemd's LoadCredential= is found by itself)";
    return [about(`App "${name}" needs the secrets ${secrets.join(", ")}, and there is no folder of secrets`, hint)];
  }
  return secrets.flatMap((secret) => {
    const path = join(from, secret);
    try {
      const found = statSync(path);
      if (!found.isFile()) return [about(`The secret ${secret} is no file`, `Put its text into the file ${path}`)];
      if (found.size > secretBytesMax)
        return [about(`The secret ${secret} has ${found.size} bytes; ${secretBytesMax} at most`, `Shorten ${path}`)];
      readFileSync(path);
      return [];
    } catch (error) {
      return [about(`Cannot read the secret ${secret}: ${reasonOf(error)}`, `Put its text into the file ${path}`)];
    }
  });
}

/** What an app's secrets are, as values to compare. @throws Error when one cannot be read any more. */
export function secretsPrint({ secrets }: App, from: string | undefined): readonly string[] {
  return from === undefined ? [] : secrets.map((secret) => Bun.hash(readFileSync(join(from, secret))).toString(16));
}

/** Where an app's secrets lie for its functions, and for programs by the user that they run as. */
export interface DeliveredSecrets {
  readonly own: string;
  /** @param user of the system; undefined: the host's own. */
  forUser(user: string | undefined): string;
  /** To be called when nobody runs who was told of them. */
  remove(): void;
}

/**
 * Copies an app's secrets below a folder that nobody else may list.
 * @throws Error, with nothing left behind, when one cannot be read or written any more.
 */
export function deliverSecrets({ secrets, operations }: App, from: string, into: string): DeliveredSecrets {
  const texts = secrets.map((secret) => [secret, readFileSync(join(from, secret))] as const);
  const folders = new Map<string | undefined, string>();
  const deliver = (user: string | undefined): void => {
    if (folders.has(user)) return;
    const owner = user === undefined ? undefined : findUser(user);
    const folder = owner === undefined ? into : `${into}-${owner.uid}`;
    folders.set(user, folder);
    mkdirSync(folder, { mode: 0o700, recursive: true });
    for (const [name, text] of texts) {
      const path = join(folder, name);
      writeFileSync(path, text, { mode: 0o400 });
      if (owner !== undefined) chownSync(path, owner.uid, owner.gid);
    }
    if (owner !== undefined) chownSync(folder, owner.uid, owner.gid);
  };
  const remove = (): void => {
    for (const folder of folders.values()) rmSync(folder, { recursive: true, force: true });
  };
  try {
    deliver(undefined);
    for (const operation of operations) if (operation.kind === "program") deliver(operation.inject.user);
  } catch (error) {
    remove();
    throw error;
  }
  return { own: into, forUser: (user) => folders.get(user) ?? into, remove };
}

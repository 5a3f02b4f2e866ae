/** Files that a container has of its own, and who may read them, whatever the host's umask says. */
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mappedUser } from "./oci-config.ts";

/** A folder through which everybody may pass, and that nobody else may list. */
export function makeFolder(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  chmodSync(folder, 0o711);
}

/** Makes the folder of a container's bundle, with the files of /etc that are its own. */
export function makeBundle(folder: string, config: object, etc: Readonly<Record<string, string>>): void {
  mkdirSync(folder, { recursive: true });
  chmodSync(folder, 0o711);
  mkdirSync(join(folder, "etc"));
  for (const [name, text] of Object.entries(etc)) writeFileSync(join(folder, "etc", name), text);
  openToAll(join(folder, "etc"));
  // It holds the runner's token.
  writeFileSync(join(folder, "config.json"), JSON.stringify(config), { mode: 0o600 });
}

/** Lets everybody read a folder of the host's own with what is in it, whatever its umask took away: where it lies says who reaches it. */
export function openToAll(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) openToAll(path);
    else if (entry.isFile()) chmodSync(path, 0o644);
  }
}

/** Copies of an app's secrets that the container's user alone may read. */
export function copySecrets(from: string, names: readonly string[], into: string, user: number): void {
  rmSync(into, { recursive: true, force: true });
  mkdirSync(into, { mode: 0o700 });
  for (const name of names) {
    const file = join(into, name);
    writeFileSync(file, readFileSync(join(from, name)), { mode: 0o400 });
    if (process.getuid?.() === 0) chownSync(file, user, user);
  }
  if (process.getuid?.() === 0) chownSync(into, user, user);
}

/** Makes the container's user the owner of an app's data, also of what the app wrote when it ran otherwise. */
export async function ownData(folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (process.getuid?.() !== 0 || statSync(folder).uid === mappedUser) return;
  const owner = `${mappedUser}:${mappedUser}`;
  const child = Bun.spawn(["chown", "--recursive", "--no-dereference", owner, folder], { stdio: ["ignore", "ignore", "pipe"] });
  const [words, status] = await Promise.all([new Response(child.stderr).text(), child.exited]);
  if (status !== 0) throw new Error(`cannot give ${folder} to the container's user: ${words.trim()}`);
}

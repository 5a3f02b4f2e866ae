/** Where an app keeps what outlives its instances and its revisions. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../config/app.ts";

/**
 * An app's folder for its data, made where it is missing: readable by its own instances alone.
 * @param dataFolder the host's, absolute.
 * @throws Error when it cannot be made.
 */
export function appDataFolder(dataFolder: string, { name }: App): string {
  const folder = join(dataFolder, "data", name);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/** Where an app keeps what outlives its instances and its revisions. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { App } from "../config/app.ts";
import { isDiskFull, reasonOf } from "../core/system-error.ts";

export class DataFolderFailure extends Error {
  override readonly name = "DataFolderFailure";
  readonly hint: string;

  constructor(folder: string, error: unknown) {
    super(`Cannot make the data folder ${folder}: ${reasonOf(error)}`);
    const another = "name another folder for data with --data or UROCKET_DATA";
    this.hint = isDiskFull(error) ? `Make room there, or ${another}` : `Let this user write there, or ${another}`;
  }
}

/**
 * An app's folder for its data, made where it is missing: readable by its own instances alone.
 * @param dataFolder the host's, absolute.
 * @throws DataFolderFailure when it cannot be made.
 */
export function appDataFolder(dataFolder: string, { name }: App): string {
  const folder = join(dataFolder, "data", name);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return folder;
  } catch (error) {
    throw new DataFolderFailure(folder, error);
  }
}

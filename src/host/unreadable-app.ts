/** Whether an app's containers may read the app: asked by `check`, and where one does not start. */
import type { App } from "../config/app.ts";
import { unreadableFiles } from "../sandbox/unreadable-files.ts";

/** Sentences. An ordinary user's containers read what that user does. */
export async function unreadableIn({ sandbox, folder }: App): Promise<readonly string[]> {
  return sandbox === "container" && process.geteuid?.() === 0 ? await unreadableFiles(folder) : [];
}

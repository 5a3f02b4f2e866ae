import type { Diagnostic } from "../core/diagnostic.ts";
import type { App } from "./app.ts";

export type LoadedServiceFile = { readonly ok: true; readonly app: App; readonly warnings: readonly Diagnostic[] } | { readonly ok: false; readonly problems: readonly Diagnostic[] };

/** Reads and checks the service file of a folder. */
export async function loadServiceFile(_folder: string): Promise<LoadedServiceFile> {
  return { ok: false, problems: [] };
}

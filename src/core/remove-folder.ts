import { rmSync } from "node:fs";

/** Removes a folder with what is in it, as far as it can: what is left (no descriptor is free, say) is found by the next host's start. */
export function removeFolder(folder: string): void {
  try {
    rmSync(folder, { recursive: true, force: true });
  } catch {
    // Whoever cleans up has more to do than this, and must come to its end.
  }
}

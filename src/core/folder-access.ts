/** Whether a folder may be entered: the kernel's EACCES does not say which part of a path it is about. */
import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { codeOf } from "./system-error.ts";

/** The first folder on the way to a path (absolute), itself included, that this process may not enter; undefined: it may. */
export function closedFolder(path: string): string | undefined {
  const above = dirname(path);
  return (above === path ? undefined : closedFolder(above)) ?? (isClosed(path) ? path : undefined);
}

function isClosed(folder: string): boolean {
  try {
    accessSync(folder, constants.X_OK);
    return false;
  } catch (error) {
    return codeOf(error) === "EACCES";
  }
}

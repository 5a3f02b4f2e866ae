/** Where a program of the system is. People's PATH often lacks the folders of system tools: those are looked through too. */
import { accessSync, constants } from "node:fs";
import { delimiter, isAbsolute, join } from "node:path";

const systemFolders = ["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/local/bin", "/usr/bin", "/bin"] as const;

/** @returns its absolute path; undefined: there is none that may be run. @param path as in PATH; entries that are not absolute do not count. */
export function findTool(name: string, path: string | undefined): string | undefined {
  const folders = [...(path ?? "").split(delimiter).filter(isAbsolute), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(mayBeRun);
}

function mayBeRun(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

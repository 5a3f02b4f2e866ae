/** What a path leads to, as an argument that should name a folder. */
import { statSync } from "node:fs";

export type PathKind = { readonly is: "folder" | "nothing" | "other" } | { readonly is: "unreachable"; readonly reason: string };

export function kindOfPath(path: string): PathKind {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { is: "nothing" };
    return { is: found.isDirectory() ? "folder" : "other" };
  } catch (error) {
    return { is: "unreachable", reason: error instanceof Error ? error.message : String(error) };
  }
}

/** Why it is no folder, as the end of a sentence: "there is no such folder". */
export function whyNoFolder(kind: PathKind): string | undefined {
  switch (kind.is) {
    case "folder":
      return undefined;
    case "nothing":
      return "there is no such folder";
    case "other":
      return "it is not a folder";
    case "unreachable":
      return kind.reason;
  }
}

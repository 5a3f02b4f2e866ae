/** What a path leads to, as an argument that should name a folder. */
import { statSync } from "node:fs";
import { codeOf, reasonOf } from "../core/system-error.ts";
import { dirname } from "node:path";

export type PathKind = { readonly is: "folder" | "nothing" | "other" } | { readonly is: "unreachable"; readonly reason: string };

export function kindOfPath(path: string): PathKind {
  try {
    const found = statSync(path, { throwIfNoEntry: false });
    if (found === undefined) return { is: "nothing" };
    return { is: found.isDirectory() ? "folder" : "other" };
  } catch (error) {
    if (codeOf(error) === "ENOTDIR") return { is: "unreachable", reason: `${fileOnTheWay(path)} is not a folder` };
    return { is: "unreachable", reason: reasonOf(error) };
  }
}

/** The nearest part above a path that is there: what keeps it from being a folder's. */
function fileOnTheWay(path: string): string {
  let above = dirname(path);
  while (kindOfPath(above).is === "unreachable" && above !== dirname(above)) above = dirname(above);
  return above;
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

/** Users of the system, as passwd(5) has them. */
import { readFileSync } from "node:fs";
import { codeOf } from "./system-error.ts";

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * A user's ids, by name or by number as text; undefined: there is no such user. A bare container may have no file of users, and
 * so none.
 * @param usersFile of passwd(5).
 */
export function findUser(name: string, usersFile = "/etc/passwd"): UserIds | undefined {
  for (const line of linesOf(usersFile)) {
    const [user, , uid, gid] = line.split(":");
    if (user === name || (uid === name && /^\d+$/.test(name))) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

function linesOf(file: string): readonly string[] {
  try {
    return readFileSync(file, "utf8").split("\n");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return [];
    throw error;
  }
}

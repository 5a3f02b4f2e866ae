/** Users of the system, as passwd(5) has them. */
import { readFileSync } from "node:fs";

export interface UserIds {
  readonly uid: number;
  readonly gid: number;
}

/** A user's ids, by name or by number as text; undefined: there is no such user. @param passwd the text of /etc/passwd. */
export function findUser(name: string, passwd: string = readFileSync("/etc/passwd", "utf8")): UserIds | undefined {
  for (const line of passwd.split("\n")) {
    const [user, , uid, gid] = line.split(":");
    if (user === name || (uid === name && /^\d+$/.test(name))) return { uid: Number(uid), gid: Number(gid) };
  }
  return undefined;
}

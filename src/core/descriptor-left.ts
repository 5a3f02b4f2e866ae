/** Whether this process may open one more file or socket (EMFILE, ENFILE): Bun tells of a connection that none was left for as refused. */
import { closeSync, openSync } from "node:fs";
import { codeOf } from "./system-error.ts";

export function isDescriptorLeft(): boolean {
  try {
    closeSync(openSync("/dev/null", "r"));
    return true;
  } catch (error) {
    return !["EMFILE", "ENFILE"].includes(codeOf(error) ?? "");
  }
}

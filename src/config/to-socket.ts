/** Unix sockets that the service file asks for: where they may be made. */
import { dirname, resolve } from "node:path";
import { socketPathBytesMax } from "../core/socket-path.ts";
import type { Context } from "./context.ts";
import type { Located } from "./fields.ts";
import { kindOf } from "./machine.ts";
import { quoted } from "./value.ts";

/** The socket's path, absolute. The context's reading is told why it cannot be made there. */
export function checkSocketPath({ value, at }: Located<string>, { folder, reading }: Context): string {
  const path = resolve(folder, value);
  const bytes = Buffer.byteLength(path);
  const there = kindOf(path);
  if (bytes > socketPathBytesMax)
    reading.error(at, `The socket's path has ${bytes} bytes; the kernel takes ${socketPathBytesMax} at most`, `It is ${path}`);
  else if (kindOf(dirname(path)) !== "folder")
    reading.error(at, `Cannot make the socket ${quoted(value)}: its folder does not exist`, `Create ${dirname(path)}`);
  else if (there !== "missing" && there !== "socket")
    reading.error(at, `Cannot make the socket ${quoted(value)}: something else is there`, `Move ${path} away, or choose another path`);
  return path;
}

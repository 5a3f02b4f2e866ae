/** Unix sockets that the service file asks for: where they may be made. */
import { basename, dirname, resolve } from "node:path";
import { socketPathBytesMax } from "../core/socket-path.ts";
import type { Context } from "./context.ts";
import type { Located } from "./fields.ts";
import { kindOf } from "./machine.ts";
import type { Spot } from "./value.ts";
import { quoted } from "./value.ts";

/** Folders that are in every container, where its programs can make files. */
const writableInside: readonly string[] = ["/tmp", "/run"];

/** The reply socket's path, absolute. In a container it is made inside, where little can be written to, and each instance has its own. */
export function checkReplySocketPath(socket: Located<string>, context: Context): string {
  if (context.sandbox === "process") return checkSocketPath(socket, context);
  const { value, at } = socket;
  const path = resolve(context.folder, value);
  if (!writableInside.includes(dirname(path)))
    context.reading.error(
      at,
      `Cannot make the socket ${quoted(value)} in a container`,
      `It would be ${path}; write a path in /tmp or /run, such as /tmp/${basename(path)}, or take \`socket:\` out`,
    );
  else checkLength(path, at, context);
  return path;
}

/** The socket's path, absolute. The context's reading is told why it cannot be made there. */
export function checkSocketPath({ value, at }: Located<string>, context: Context): string {
  const { folder, reading } = context;
  const path = resolve(folder, value);
  const there = kindOf(path);
  if (!checkLength(path, at, context)) return path;
  if (kindOf(dirname(path)) !== "folder")
    reading.error(at, `Cannot make the socket ${quoted(value)}: its folder does not exist`, `Create ${dirname(path)}`);
  else if (there !== "missing" && there !== "socket")
    reading.error(at, `Cannot make the socket ${quoted(value)}: something else is there`, `Move ${path} away, or choose another path`);
  return path;
}

function checkLength(path: string, at: Spot, { reading }: Context): boolean {
  const bytes = Buffer.byteLength(path);
  if (bytes <= socketPathBytesMax) return true;
  reading.error(at, `The socket's path has ${bytes} bytes; the kernel takes ${socketPathBytesMax} at most`, `It is ${path}`);
  return false;
}

/** What confines an app's instances, and what of the machine is to be seen in there. */
import { realpathSync } from "node:fs";
import { join, resolve } from "node:path";
import type { App } from "./app.ts";
import type { Context } from "./context.ts";
import type { ReadServiceFile } from "./description.ts";
import type { Located } from "./fields.ts";
import { kindOf } from "./machine.ts";
import { quoted } from "./value.ts";
import type { Spot } from "./value.ts";

export function containerOf(read: ReadServiceFile, context: Context): Pick<App, "sandbox" | "network" | "rootfs"> {
  const rootfs = read.rootfs && rootfsOf(read.rootfs, context);
  if (context.sandbox === "process") warnOfUnused(read, context);
  return {
    sandbox: context.sandbox,
    network: read.network?.value ?? "open",
    ...(rootfs === undefined ? {} : { rootfs }),
  };
}

function rootfsOf({ value, at }: Located<string>, { folder, reading }: Context): string | undefined {
  const path = resolve(folder, value);
  const kind = kindOf(path);
  if (kind === "missing") reading.error(at, `Cannot find the root filesystem ${quoted(value)}`, `There is no ${path}`);
  else if (kind !== "folder")
    reading.error(at, `The root filesystem ${quoted(value)} is not a folder`, `It is ${path}; unpack an archive first`);
  else if (realpathSync(path) === "/")
    reading.error(
      at,
      `The root filesystem ${quoted(value)} is the host's own, with everything in it`,
      "Take `rootfs:` out: a container then has the host's /usr and what belongs to it, and nothing else",
    );
  else {
    if (!["bin", "usr", "sbin"].some((name) => kindOf(join(path, name)) === "folder"))
      reading.warning(
        at,
        `The root filesystem ${quoted(value)} has neither bin nor usr`,
        `See whether ${path} is the folder that is meant`,
      );
    return path;
  }
  return undefined;
}

/** Only warnings: the same file is served in a container elsewhere. */
function warnOfUnused(read: ReadServiceFile, { reading }: Context): void {
  const meant =
    read.sandbox?.value === "container"
      ? "--sandbox process goes before the `sandbox: container` of this file"
      : "Write `sandbox: container`, or take it out";
  const warn = (at: Spot, what: string): void => reading.warning(at, `${what} in a process sandbox`, meant);
  if (read.network !== undefined && read.network.value !== "open")
    warn(read.network.key, `"network: ${read.network.value}" is not held: programs reach what the host reaches`);
  if (read.rootfs !== undefined) warn(read.rootfs.key, '"rootfs" is not used: programs see the host\'s files');
  const tmp = read.limits?.value.tmp;
  if (tmp !== undefined) warn(tmp.key, '"limits.tmp" is not held: programs share the host\'s /tmp');
}

/** Folders of the host that containers have too, and folders of their own. */
const shared = ["/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"];
const own = ["/", "/tmp", "/data"];

/** Whether a path of the host leads to the same in a container that has no root filesystem of the app's. */
export function isInContainer(path: string, folder: string): boolean {
  return own.includes(path) || [folder, ...shared].some((seen) => path === seen || path.startsWith(`${seen}/`));
}

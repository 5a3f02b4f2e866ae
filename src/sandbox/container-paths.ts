/** Where the host's files are inside a container. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { ownCommands } from "../config/surroundings.ts";
import { inside } from "./container-root.ts";
import type { Confinement } from "./sandbox.ts";

export const packageFolder = fileURLToPath(new URL("../..", import.meta.url));
export const runnerSource = fileURLToPath(new URL("../runner/main.ts", import.meta.url));

/** Whether a file is among this package's sources, which every container has. */
export const isOwnSource = (file: string): boolean => file.startsWith(join(packageFolder, "src/"));

/** Where what a runner runs is. */
export const insideRunner = (file: string): string =>
  isOwnSource(file)
    ? join(inside.sources, file.slice(join(packageFolder, "src").length))
    : join(inside.runner, file.slice(dirname(file).length));

/** For an app: where a file of the host is; its own folders first. What is nowhere inside is returned as it is. */
export function mapping(app: Confinement, file: string | undefined): (path: string) => string {
  const places: (readonly [host: string, inside: string])[] = [[app.folder, inside.app]];
  if (app.bundle !== undefined) places.push([app.bundle, inside.functions]);
  if (app.secrets !== undefined) places.push([app.secrets, inside.secrets]);
  if (app.data !== undefined) places.push([app.data, inside.data]);
  places.push([ownCommands, inside.bin], [process.execPath, inside.bun], [join(packageFolder, "src"), inside.sources]);
  if (file !== undefined && !isOwnSource(file)) places.push([dirname(file), inside.runner]);
  return (path) => {
    const place = places.find(([host]) => path === host || path.startsWith(`${host}/`));
    return place === undefined ? path : place[1] + path.slice(place[0].length);
  };
}

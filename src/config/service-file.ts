/**
 * The service file: from a folder to a checked app, or to every problem at once. Finding and parsing, the description of
 * the keys, and the checks that need the machine are files of their own; this one strings them together.
 */
import { resolve } from "node:path";
import type { Diagnostic } from "../core/diagnostic.ts";
import type { App } from "./app.ts";
import type { Context } from "./context.ts";
import { type ReadServiceFile, serviceFile } from "./description.ts";
import { findServiceFile } from "./find.ts";
import type { Standing } from "./machine.ts";
import { ownStanding } from "./machine.ts";
import { Reading } from "./reading.ts";
import { toApp } from "./to-app.ts";
import { readYaml } from "./yaml-source.ts";

export type LoadedServiceFile =
  | { readonly ok: true; readonly app: App; readonly warnings: readonly Diagnostic[] }
  /** Warnings are among the problems, at their places. */
  | {
      readonly ok: false;
      readonly problems: readonly Diagnostic[];
      /** The contract that the file names, absolute, where it could be made out: it can be checked all the same. */
      readonly openapi?: string;
      /** Paths, absolute, that something is wrong with: a change of one may mend it. */
      readonly lacked: readonly string[];
    };

/**
 * Reads and checks the service file of a folder. Never throws for what a file says.
 * @param sandbox what confines the app, whatever its file says. Default: as that says.
 */
export async function loadServiceFile(
  folder: string,
  standing: Standing = ownStanding(),
  sandbox?: App["sandbox"],
): Promise<LoadedServiceFile> {
  const root = resolve(folder);
  const found = await findServiceFile(root);
  if (!found.ok) return { ok: false, problems: [found.problem], lacked: [] };
  const reading = new Reading(found.file, found.text);
  const value = readYaml(found.text, reading);
  const read = value && serviceFile.read(value, "", reading);
  const { app, openapi } = read ? toApp(read, contextOf(read, { folder: root, file: found.file, standing, reading }, sandbox)) : {};
  if (app && !reading.failed) return { ok: true, app, warnings: reading.diagnostics() };
  return { ok: false, problems: reading.diagnostics(), lacked: reading.lacked, ...(openapi === undefined ? {} : { openapi }) };
}

function contextOf(read: ReadServiceFile, known: Omit<Context, "sandbox" | "ownRoot">, told: App["sandbox"] | undefined): Context {
  const sandbox = told ?? read.sandbox?.value ?? "process";
  return { ...known, sandbox, ownRoot: sandbox === "container" && read.given.has("rootfs") };
}

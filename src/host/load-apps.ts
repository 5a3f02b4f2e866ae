/** The apps of a host as it loads them: each with what it needs of where it is served, and none in another's way. */
import { resolve } from "node:path";
import { serviceSources } from "../build/service-sources.ts";
import type { App } from "../config/app.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import type { HostSettings } from "./host.ts";
import { loadApp, type LoadedApp } from "./load-app.ts";
import type { ReadyApp } from "./revision.ts";
import { checkSecrets } from "./secrets.ts";

export type LoadedApps =
  | { readonly ok: true; readonly apps: readonly ReadyApp[] }
  /** `inputs`: of all of them, to be watched for a better version. */
  | { readonly ok: false; readonly problems: readonly Diagnostic[]; readonly inputs: readonly string[] };

/** Loads the apps of all folders. @param buildInto where their functions are built. */
export async function loadApps(settings: HostSettings, buildInto: string): Promise<LoadedApps> {
  const loaded = await Promise.all(settings.folders.map((folder) => loadForHost(folder, settings, { buildInto })));
  const problems = loaded.flatMap((app) => (app.ok ? [] : app.problems));
  const apps = loaded.filter((app) => app.ok);
  const served = apps.map(({ app }) => app);
  for (const [at, app] of served.entries()) problems.push(...nameTaken(app, served.slice(0, at)));
  if (problems.length === 0) return { ok: true, apps };
  return { ok: false, problems, inputs: loaded.flatMap((app) => (app.ok ? filesOf(app) : app.inputs)) };
}

export interface LoadForHostOptions {
  /** Where its functions are built. */
  readonly buildInto: string;
  /** Apps that are served beside it. Default: none. */
  readonly others?: readonly App[];
  readonly signal?: AbortSignal;
}

/**
 * Loads an app to be served. In "dev" types are checked beside serving.
 * @throws the signal's reason when it is aborted.
 */
export async function loadForHost(
  folder: string,
  { mode, secretsFolder, sandbox }: HostSettings,
  { others = [], ...options }: LoadForHostOptions,
): Promise<LoadedApp> {
  const loaded = await loadApp(folder, { ...options, sandbox, typeCheck: mode === "serve" });
  if (!loaded.ok) return loaded;
  const problems = [...checkSecrets(loaded.app, secretsFolder), ...nameTaken(loaded.app, others)];
  return problems.length === 0 ? loaded : { ok: false, problems: [...loaded.warnings, ...problems], inputs: filesOf(loaded) };
}

/** What an app is made of: watched for a change. */
export function filesOf({ app, contract, build }: ReadyApp): readonly string[] {
  return [app.file, ...(contract?.files ?? []), ...(build?.inputs ?? []), ...serviceSources(app), ...commandFiles(app)];
}

/** What a daemon's command may name in the app, also where it is not there yet: `bun server.ts`. */
function commandFiles({ folder, service }: App): readonly string[] {
  if (service === undefined) return [];
  return service.argv.map((word) => resolve(service.wd, word)).filter((file) => file.startsWith(`${folder}/`));
}

/** Apps are told apart by their names: in logs, pages and commands. */
function nameTaken({ name, file }: App, others: readonly App[]): readonly Diagnostic[] {
  const other = others.find((one) => one.name === name);
  if (other === undefined) return [];
  const message = `App "${name}" is served already, from ${other.folder}`;
  return [{ severity: "error", file, message, hint: 'Give one of them another name: "name: ..." in its service file' }];
}

/** From `service` to a daemon that can be started. */
import { hostPlaceholder, portPlaceholder } from "../core/program-arguments.ts";
import type { Service } from "./app.ts";
import type { Context } from "./context.ts";
import { defaults } from "./description.ts";
import type { ReadServiceFile } from "./description.ts";
import { launchFolder } from "./launch.ts";

export function serviceOf(read: ReadServiceFile, context: Context): Service | undefined {
  if (read.service === undefined) return undefined;
  const { value, key } = read.service;
  const { cmd, wd } = value;
  const env = [...(read.env?.value ?? []), ...(value.env?.value ?? [])];
  warnOfTakenNames(read, context);
  const folder = launchFolder({ wd, cmd, env, meanwhile: "the app cannot be started" }, context);
  if (cmd === undefined) return undefined;
  for (const word of cmd.value) warnOfVariable(word, cmd.at, context);
  return {
    argv: cmd.value,
    wd: folder,
    env,
    port: value.port?.value ?? defaults.servicePort,
    health: value.health?.value ?? defaults.health,
    startTimeoutMs: value.start?.value ?? defaults.serviceStartMs,
    timeoutMs: value.timeout?.value ?? read.timeout?.value ?? defaults.timeoutMs,
    idleMs: value.idle?.value ?? defaults.serviceIdleMs,
    place: context.reading.placeOf(key),
  };
}

/** The app's own PORT is for its programs and functions. */
function warnOfTakenNames({ env }: ReadServiceFile, { reading }: Context): void {
  if (env === undefined) return;
  for (const name of ["PORT", "HOST"]) {
    if (env.value.some(([known]) => known === name))
      reading.warning(env.key, `The service gets a "${name}" of its own: urocket tells it where to listen`, `Take ${name} out of \`env\``);
  }
}

/** `$PORT` as in a Procfile. */
function warnOfVariable(word: string, at: Parameters<Context["reading"]["warning"]>[0], { reading }: Context): void {
  const [written, name] = /\$\{?(PORT|HOST)\b\}?/.exec(word) ?? [];
  if (written === undefined || /\s/.test(word)) return;
  const placeholder = name === "PORT" ? portPlaceholder : hostPlaceholder;
  reading.warning(at, `No shell runs: "${written}" in "service.cmd" is passed to the service as it is`, `Write ${placeholder}`);
}

/** How an app's daemon is started: its command with its port and host in it, its environment. */
import { hostPlaceholder, portPlaceholder } from "../core/program-arguments.ts";
import type { LoadHead, ServiceSpec } from "../link/messages.ts";
import type { SpawnAttempt } from "./spawn-failure.ts";
import { fallbackPath, findExecutable } from "./program-plan.ts";
import { commandWords } from "./service-words.ts";

export interface ServicePlan {
  /** argv[0] is a path, where one was found. */
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What a failed start is told by. */
  readonly attempt: SpawnAttempt;
}

export function planService(spec: ServiceSpec, load: LoadHead, port: number): ServicePlan {
  const environment: Record<string, string> = { ...load.environment };
  for (const [name, value] of spec.env) environment[name] = value;
  environment["HOST"] = spec.host;
  environment["PORT"] = `${port}`;
  environment["UROCKET_INSTANCE"] = load.instance;
  const path = environment["PATH"] ?? fallbackPath;
  const [word, ...rest] = spec.argv.map((argument) =>
    argument.replaceAll(portPlaceholder, `${port}`).replaceAll(hostPlaceholder, spec.host),
  );
  const executable = findExecutable(word ?? "", spec.wd, path) ?? word ?? "";
  const what = `cannot start its service ${commandWords(spec)}`;
  return {
    argv: [executable, ...rest],
    environment,
    attempt: { what, executable, wd: spec.wd, path, tooLong: "shorten service.cmd and env" },
  };
}

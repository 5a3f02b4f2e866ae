/**
 * An app as it is served: the operations of its service file joined with those of its contract and the exports of its functions,
 * and everything that is wrong or doubtful with all of them, at once.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Build, BuildOutcome } from "../build/build.ts";
import { buildFunctions } from "../build/build-functions.ts";
import type { App } from "../config/app.ts";
import { loadServiceFile } from "../config/service-file.ts";
import type { Contract, LoadedContract } from "../contract/contract.ts";
import { loadContract } from "../contract/load.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { joinContract, withoutContract } from "./join-contract.ts";
import type { Joined, JoinedOperation } from "./join-contract.ts";
import { functionFiles, joinFunctions } from "./join-functions.ts";
import { joinService } from "./join-service.ts";

export type { JoinedOperation } from "./join-contract.ts";

export interface LoadOptions {
  /** Where the build of its functions is kept. Default: it is made in a temporary place, to see that it can be, and removed. */
  readonly buildInto?: string;
  /** Whether the types of its functions are checked. Default true. */
  readonly typeCheck?: boolean;
  /** What confines the app, whatever its service file says. Default: as that says. */
  readonly sandbox?: App["sandbox"] | undefined;
  readonly signal?: AbortSignal;
}

export type LoadedApp =
  | {
      readonly ok: true;
      /** Its operations are all that have a handler, those that `functions` serves among them, with their exports. */
      readonly app: App;
      readonly contract?: Contract;
      /** Absent: it has no functions, or they were built in a temporary place. */
      readonly build?: Build;
      /** The service file's in its order, those that `functions` serves, then the contract's others in its order. */
      readonly operations: readonly JoinedOperation[];
      readonly warnings: readonly Diagnostic[];
    }
  /** Warnings are among the problems. `inputs`: files, absolute, that are to be watched for a better version. */
  | { readonly ok: false; readonly problems: readonly Diagnostic[]; readonly inputs: readonly string[] };

/** Loads the app of a folder. Contract, service file and functions are all read to their ends, whichever has errors. */
export async function loadApp(folder: string, options: LoadOptions = {}): Promise<LoadedApp> {
  const service = await loadServiceFile(folder, undefined, options.sandbox);
  const document = service.ok ? service.app.openapi : service.openapi;
  const [contract, built] = await Promise.all([
    document === undefined ? undefined : loadContract(document),
    service.ok ? buildOf(service.app, options) : undefined,
  ]);
  const told = [...(service.ok ? service.warnings : service.problems), ...toldBy(contract), ...toldBy(built)];
  const own = service.ok ? [service.app.file] : [...filesOf(service.problems), ...service.lacked];
  const inputs = [...new Set([...own, ...(document === undefined ? [] : [document]), ...inputsOf(contract, built)])];
  if (!service.ok || contract?.ok === false || built?.ok === false) return { ok: false, problems: told, inputs };
  const { app, operations, diagnostics } = joinAll(service.app, contract?.contract, built?.build);
  const all = [...told, ...diagnostics];
  if (all.some((diagnostic) => diagnostic.severity === "error")) return { ok: false, problems: all, inputs };
  return {
    ok: true,
    app,
    ...(contract === undefined ? {} : { contract: contract.contract }),
    ...(built === undefined || options.buildInto === undefined ? {} : { build: built.build }),
    operations,
    warnings: all,
  };
}

async function buildOf(app: App, { buildInto, typeCheck = true, signal }: LoadOptions): Promise<BuildOutcome | undefined> {
  const files = functionFiles(app);
  if (files.length === 0) return undefined;
  const into = buildInto ?? (await mkdtemp(join(tmpdir(), "urocket-build-")));
  try {
    return await buildFunctions({ folder: app.folder, files, into, typeCheck, ...(signal === undefined ? {} : { signal }) });
  } finally {
    if (buildInto === undefined) await rm(into, { recursive: true, force: true });
  }
}

function toldBy(loaded: LoadedContract | BuildOutcome | undefined): readonly Diagnostic[] {
  if (loaded === undefined) return [];
  return loaded.ok ? loaded.warnings : loaded.problems;
}

function joinAll(app: App, contract: Contract | undefined, build: Build | undefined): Joined & { readonly app: App } {
  const functions = joinFunctions(app, contract, build?.modules ?? []);
  const service = joinService(app, contract, functions.operations);
  const whole: App = { ...app, operations: service.operations };
  const told = [...functions.diagnostics, ...service.diagnostics];
  if (contract === undefined) return { app: whole, operations: withoutContract(whole), diagnostics: told };
  const { operations, diagnostics } = joinContract(whole, contract);
  return { app: whole, operations, diagnostics: [...told, ...diagnostics] };
}

function inputsOf(contract: LoadedContract | undefined, built: BuildOutcome | undefined): readonly string[] {
  const ofContract = contract?.ok ? contract.contract.files : filesOf(contract?.problems ?? []);
  const ofBuild = built?.ok ? built.build.inputs : (built?.inputs ?? []);
  return [...ofContract, ...ofBuild];
}

function filesOf(problems: readonly Diagnostic[]): readonly string[] {
  return problems.flatMap(({ place, file }) => place?.file ?? file ?? []);
}

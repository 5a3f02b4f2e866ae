/**
 * An app as it is served: the operations of its service file joined with those of its contract, and everything that is
 * wrong or doubtful with both, at once.
 */
import type { App } from "../config/app.ts";
import { loadServiceFile } from "../config/service-file.ts";
import type { Contract } from "../contract/contract.ts";
import { loadContract } from "../contract/load.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { joinContract, withoutContract } from "./join-contract.ts";
import type { JoinedOperation } from "./join-contract.ts";

export type { JoinedOperation } from "./join-contract.ts";

export type LoadedApp =
  | {
      readonly ok: true;
      readonly app: App;
      readonly contract?: Contract;
      /** The service file's in its order, then the contract's others in its order. */
      readonly operations: readonly JoinedOperation[];
      readonly warnings: readonly Diagnostic[];
    }
  /** Warnings are among the problems. */
  | { readonly ok: false; readonly problems: readonly Diagnostic[] };

/** Loads the app of a folder. Contract and service file are both read to their ends, whichever has errors. */
export async function loadApp(folder: string): Promise<LoadedApp> {
  const service = await loadServiceFile(folder);
  const document = service.ok ? service.app.openapi : service.openapi;
  const loaded = document === undefined ? undefined : await loadContract(document);
  const fromContract = loaded === undefined ? [] : loaded.ok ? loaded.warnings : loaded.problems;
  if (!service.ok) return { ok: false, problems: [...service.problems, ...fromContract] };
  const told = [...service.warnings, ...fromContract];
  if (loaded === undefined) return { ok: true, app: service.app, operations: withoutContract(service.app), warnings: told };
  if (!loaded.ok) return { ok: false, problems: told };
  const { operations, diagnostics } = joinContract(service.app, loaded.contract);
  const all = [...told, ...diagnostics];
  if (all.some((diagnostic) => diagnostic.severity === "error")) return { ok: false, problems: all };
  return { ok: true, app: service.app, contract: loaded.contract, operations, warnings: all };
}

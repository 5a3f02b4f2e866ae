/** Types of functions that are served already, checked beside serving: a type error is told, and holds nobody up. */
import { buildFunctions } from "../build/build-functions.ts";
import type { CheckedTypes } from "./host.ts";
import type { ReadyApp } from "./revision.ts";

export class TypeChecks {
  readonly #into: string;
  readonly #told: (checked: CheckedTypes) => void;
  /** The check that is under way, by app. A newer version's ends it. */
  readonly #running = new Map<string, AbortController>();

  /** @param into where the builds are kept. */
  constructor(into: string, told: (checked: CheckedTypes) => void) {
    this.#into = into;
    this.#told = told;
  }

  check({ app: { name, folder }, build }: ReadyApp): void {
    this.#running.get(name)?.abort();
    if (build === undefined) return;
    const running = new AbortController();
    this.#running.set(name, running);
    const files = build.modules.map(({ file }) => file);
    buildFunctions({ folder, files, into: this.#into, typeCheck: true, signal: running.signal }).then(
      (outcome) => {
        if (!running.signal.aborted) this.#told({ name, folder, problems: outcome.ok ? outcome.warnings : outcome.problems });
      },
      // It was ended, or its sources have gone: the next version's check tells.
      () => {},
    );
  }

  close(): void {
    for (const running of this.#running.values()) running.abort();
    this.#running.clear();
  }
}

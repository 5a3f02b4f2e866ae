/** What is made of an app's function sources before any instance starts: one bundle, and what is known of it. */
import type { Diagnostic } from "../core/diagnostic.ts";

export interface BuildRequest {
  /** The app's folder, absolute. */
  readonly folder: string;
  /** Source files that the service file names, absolute, each once: the bundle's list of modules is in this order. */
  readonly files: readonly string[];
  /** Where builds are kept: each in a folder named by what it was made of. */
  readonly into: string;
  /** Whether types are checked: errors of them are problems. */
  readonly typeCheck: boolean;
  readonly signal?: AbortSignal;
}

export interface Build {
  /** A folder of its own, named by `hash`. */
  readonly folder: string;
  /** Changes when what the bundle holds changes. */
  readonly hash: string;
  /**
   * What a runner imports. Its bytecode lies beside it where that could be made; where it is gone, or another version's, the
   * runtime compiles the text instead.
   */
  readonly bundle: string;
  /** Its source map. The runtime applies it to stack traces by itself, since it lies beside the bundle. */
  readonly sourceMap: string;
  /** Whether the bundle has bytecode: not with top-level await. */
  readonly bytecode: boolean;
  /** Every source file that went into it, and those of its types, absolute, without those of packages: what is watched. */
  readonly inputs: readonly string[];
  readonly modules: readonly BuiltModule[];
}

export interface BuiltModule {
  /** Absolute, as in the request. */
  readonly file: string;
  /** Names of its exports of values, "default" among them; by the source text, nothing of it has run. */
  readonly exports: readonly string[];
  /** False: it may have more exports than its text tells (CommonJS, or re-exports from it). */
  readonly exportsKnown: boolean;
}

export type BuildOutcome =
  | { readonly ok: true; readonly build: Build; readonly warnings: readonly Diagnostic[] }
  /** Warnings are among the problems. `inputs`: what is to be watched for a better version. */
  | { readonly ok: false; readonly problems: readonly Diagnostic[]; readonly inputs: readonly string[] };

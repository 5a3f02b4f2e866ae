/**
 * The script that a command hands to an interpreter: `sh hello.sh`. Its absence is the interpreter's failure, which a
 * client sees as 502 without a word of why, so it is looked for while the service file is checked.
 */
import { basename, extname, join, resolve } from "node:path";
import { type Executable, kindOf } from "./machine.ts";

interface Interpreter {
  readonly name: RegExp;
  /** Options without a value of their own; behind any other nothing is sure to be a script. */
  readonly options?: RegExp;
  /** Words that may stand before the script. */
  readonly commands?: readonly string[];
  /** Only names with one of these extensions are files. */
  readonly extensions?: RegExp;
}

const modules = /^\.[cm]?[jt]sx?$/;

const interpreters: readonly Interpreter[] = [
  { name: /^(sh|bash|dash|ash|ksh|zsh)$/, options: /^[-+][abefhmnuvxCE]+$/ },
  { name: /^python[\d.]*$/, options: /^-[bBdEOPqsSuvx]+$/ },
  { name: /^perl[\d.]*$/, options: /^-[wWXtTU]+$/ },
  { name: /^php[\d.]*$/, options: /^-[nq]+$/ },
  { name: /^ruby[\d.]*$/, options: /^-[wW]$/ },
  { name: /^(bun|deno)$/, commands: ["run"], extensions: modules },
  { name: /^node$/, extensions: modules },
];

/** A shell's syntax, or a placeholder: a mistake of another kind, which has a warning of its own. */
const notPlain = /[|&;<>$`*(){}]/;

/** Whether the script of a command is there, as far as its words tell that there is one. */
export function findScript(argv: readonly [string, ...string[]], wd: string, folders: readonly string[]): Executable {
  const word = scriptOf(argv);
  if (word === undefined || kindOf(resolve(wd, word)) !== "missing") return { found: true };
  // Shells look for a plain name on PATH too.
  if (!word.includes("/") && folders.some((folder) => kindOf(join(folder, word)) === "file")) return { found: true };
  return {
    found: false,
    message: `Cannot find the script "${word}" of "${argv[0]}"`,
    hint: `There is no ${resolve(wd, word)}`,
    until: "until there is,",
  };
}

function scriptOf([program, ...words]: readonly [string, ...string[]]): string | undefined {
  const interpreter = interpreters.find(({ name }) => name.test(basename(program)));
  if (interpreter === undefined) return undefined;
  const { options, commands, extensions } = interpreter;
  const word = words.find((it) => options?.test(it) !== true && commands?.includes(it) !== true);
  if (word === undefined || /^[-+]/.test(word) || notPlain.test(word)) return undefined;
  return extensions !== undefined && !extensions.test(extname(word)) ? undefined : word;
}

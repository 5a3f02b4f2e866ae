/** What a function may ask of its call (`ctx`). Whatever costs something is made when it is first asked for: most calls ask for little. */
import type { Context, Logger } from "../sdk/urocket.ts";
import type { FunctionLog, LogFields, LogLevel, LogSource } from "./function-log.ts";
import { FunctionSpan } from "./function-span.ts";

/** What all contexts of an instance share. */
export interface ContextParts {
  readonly log: FunctionLog;
  readonly instance: string;
  /** Folder with a file for each secret; undefined: the app has none. */
  readonly secrets: string | undefined;
}

/** What a context is of: a call, or a client of a listener. */
export interface ContextSource extends LogSource {
  readonly parts: ContextParts;
  readonly deadline: number;
  readonly client: string | undefined;
  readonly traceparent: string | undefined;
}

export class FunctionContext implements Context {
  readonly #source: ContextSource;
  #controller: AbortController | undefined;
  #aborted: { readonly reason: unknown } | undefined;
  #log: Logger | undefined;
  #span: FunctionSpan | undefined;
  #secret: ((name: string) => string) | undefined;

  constructor(source: ContextSource) {
    this.#source = source;
  }

  get requestId(): string {
    return this.#source.requestId;
  }

  get operation(): string {
    return this.#source.operation;
  }

  get deadline(): number {
    return this.#source.deadline;
  }

  get client(): string | undefined {
    return this.#source.client;
  }

  get instance(): string {
    return this.#source.parts.instance;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#aborted !== undefined) this.#controller.abort(this.#aborted.reason);
    }
    return this.#controller.signal;
  }

  get log(): Logger {
    return (this.#log ??= logger(this.#source));
  }

  get secret(): (name: string) => string {
    return (this.#secret ??= (name) => readSecret(this.#source.parts.secrets, name));
  }

  get span(): FunctionSpan {
    return (this.#span ??= new FunctionSpan(this.#source.traceparent));
  }

  /** What was noted on the span; undefined: nothing. */
  get notes(): FunctionSpan["notes"] {
    return this.#span?.notes;
  }

  /** The call has been given up. */
  abort(reason: unknown): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = { reason };
    this.#controller?.abort(reason);
  }
}

/** Its methods need no `this`: authors take them apart. */
function logger(source: ContextSource): Logger {
  const at = (level: LogLevel) => (message: string, fields?: LogFields) => source.parts.log.message(source, level, String(message), fields);
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function readSecret(folder: string | undefined, name: string): string {
  const advice = `name it in the service file: secrets: [${name}]`;
  if (folder === undefined || !/^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(name)) throw new Error(`Cannot read the secret "${name}": ${advice}`);
  try {
    // Files that an editor or echo wrote end with a newline that is not part of the secret.
    return process
      .getBuiltinModule("node:fs")
      .readFileSync(`${folder}/${name}`, "utf8")
      .replace(/\r?\n$/, "");
  } catch (error) {
    throw new Error(`Cannot read the secret "${name}": ${advice}`, { cause: error });
  }
}

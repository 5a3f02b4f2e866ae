/** An instance's functions: what it was told to serve, its calls, and the clients of its listeners. Loaded only where an app has some. */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Channel } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import type {
  AbandonedHead,
  CallHead,
  ConnectHead,
  FunctionSpec,
  FunctionsSpec,
  LoadedHead,
  LoadHead,
  ResetHead,
} from "../link/messages.ts";
import { noteResponses } from "../sdk/made-response.ts";
import { mediaTypesByStatus } from "../sdk/result.ts";
import { AbandonedCalls } from "./abandoned-calls.ts";
import { captureOutput, setSurroundings } from "./author-process.ts";
import { importFunctions, type FoundExport } from "./function-bundle.ts";
import { type CalledFunction, type CallParts, FunctionCall } from "./function-call.ts";
import { failureText } from "./function-failure.ts";
import { FunctionLog, type LogSource } from "./function-log.ts";
import { type CalledListener, LineConnection } from "./line-connection.ts";
import type { OpenExchanges } from "./open-exchanges.ts";

export type LoadedFunctions = { readonly ok: true; readonly functions: Functions } | (LoadedHead & { readonly ok: false });

export class Functions {
  readonly #parts: CallParts;
  readonly #calls: readonly CalledFunction[];
  readonly #listeners: readonly CalledListener[];
  readonly #callsMax: number;

  constructor(parts: CallParts, calls: readonly CalledFunction[], listeners: readonly CalledListener[], callsMax: number) {
    this.#parts = parts;
    this.#calls = calls;
    this.#listeners = listeners;
    this.#callsMax = callsMax;
  }

  /** Makes the process the functions' own, and imports them. It can be done once. */
  static async load(spec: FunctionsSpec, load: LoadHead, channel: Channel, open: OpenExchanges): Promise<LoadedFunctions> {
    const parts = callParts(spec, load, channel, open);
    try {
      setSurroundings(environmentOf(spec, load), spec.folder);
    } catch (error) {
      return { ok: false, message: `cannot work in ${spec.folder}: ${error instanceof Error ? error.message : String(error)}` };
    }
    capture(parts);
    noteResponses();
    const found = await importFunctions(spec);
    if (!found.ok) return found;
    const calls = spec.calls.map((one, at) => calledFunction(one, found.calls[at]));
    const listeners = spec.listeners.map((one, at) => calledListener(one, found.listeners[at]));
    return { ok: true, functions: new Functions(parts, calls.flat(), listeners.flat(), spec.callsMax) };
  }

  /** Positions of the calls that Fetch handlers serve. */
  get fetches(): readonly number[] {
    return this.#calls.flatMap(({ found }, at) => (found.kind === "fetch" ? [at] : []));
  }

  /** Opens a call. */
  call(frame: Frame): void {
    const number = calledNumber(frame.head);
    const called = this.#calls[number];
    if (called === undefined) return this.#refuse(frame, "function-failed", `This instance has no function ${number}`);
    if (this.#parts.callsOpen >= this.#callsMax) return this.#refuse(frame, "overloaded", `${this.#callsMax} calls are open already`);
    new FunctionCall(this.#parts, called, frame.exchange, frame.head).begin(frame.body, frame.end);
  }

  /** A client of a listener has come. */
  connect(frame: Frame, head: ConnectHead, listener: number): void {
    const called = this.#listeners[listener];
    if (called === undefined) return this.#refuse(frame, "function-failed", `This instance has no listener ${listener}`);
    new LineConnection(this.#parts, called, frame.exchange, head).data(frame.body, frame.end);
  }

  /** The host is gone: whoever waits is told. */
  end(): void {
    for (const exchange of this.#parts.open.values()) exchange.reset({ reason: "shutdown" });
    this.#parts.abandoned.close();
  }

  #refuse(frame: Frame, reason: ResetHead["reason"], detail: string): void {
    this.#parts.channel.send("reset", frame.exchange, { reason, detail } satisfies ResetHead);
  }
}

const callFirst = '{"call":';

/** Which function is called: the head's first field, so that the rest is parsed only for those who ask for it. */
function calledNumber(head: string): number {
  if (!head.startsWith(callFirst)) return (JSON.parse(head) as CallHead).call;
  let number = 0;
  for (let at = callFirst.length; ; at++) {
    const digit = head.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return number;
    number = number * 10 + digit;
  }
}

function callParts(spec: FunctionsSpec, load: LoadHead, channel: Channel, open: OpenExchanges): CallParts {
  return {
    channel,
    open,
    log: new FunctionLog(channel),
    instance: load.instance,
    secrets: spec.secrets,
    running: new AsyncLocalStorage<LogSource>(),
    abandoned: new AbandonedCalls((calls) => channel.send("abandoned", 0, { calls } satisfies AbandonedHead)),
    callsOpen: 0,
  };
}

function environmentOf(spec: FunctionsSpec, load: LoadHead): (readonly [string, string])[] {
  const secrets = spec.secrets === undefined ? [] : ([["UROCKET_SECRETS", spec.secrets]] as const);
  return [...Object.entries(load.environment), ...spec.env, ["UROCKET_INSTANCE", load.instance], ...secrets];
}

function capture({ channel, log, running }: CallParts): void {
  captureOutput({
    printed: (level, text) => log.message(running.getStore(), level, text),
    stdout: (line, cut) => log.line(running.getStore(), "stdout", line, cut),
    stderr: (line, cut) => log.line(running.getStore(), "stderr", line, cut),
    uncaught: (error, where) => {
      const call = running.getStore();
      if (where === "callback" && call instanceof FunctionCall && call.isOpen) return call.failed(error);
      log.message(call, "error", `${where === "promise" ? "Unhandled rejection" : "Uncaught exception"}: ${failureText(error)}`);
    },
    exiting: (status) => {
      log.message(running.getStore(), "error", `A function ended the process, with status ${status}: the instance ends with it`);
      channel.flush();
    },
  });
}

function calledFunction(spec: FunctionSpec, found: FoundExport | undefined): CalledFunction[] {
  if (found === undefined) return [];
  const name = spec.export === "default" ? `of ${spec.operation}` : spec.export;
  return [{ found, operation: spec.operation, name, mediaTypeOf: mediaTypesByStatus(spec.mediaTypes) }];
}

function calledListener(spec: FunctionSpec, found: FoundExport | undefined): CalledListener[] {
  return found === undefined ? [] : [{ call: found.call, operation: spec.operation }];
}

/** An operation as the gateway serves it: the service file's handler and the contract's rules, joined, with its app's limits. */
import type { AppOperation, Limits } from "../config/app.ts";
import type { ContractOperation } from "../contract/contract.ts";
import type { Admission } from "./admission.ts";
import type { Dispatch } from "./dispatch.ts";

export interface ServedApp {
  readonly name: string;
  readonly limits: Limits;
  readonly dispatch: Dispatch;
  readonly traffic: Traffic;
  /** Of an app with a daemon. */
  readonly service?: { /** How long neither side may say anything once its reply has begun, in ms. */ readonly idleMs: number };
}

/** The exchanges that an app's revision has, from their start in the queue to the last of their programs. */
export class Traffic {
  #open = 0;
  #idle: (() => void) | undefined;

  entered(): void {
    this.#open++;
  }

  left(): void {
    this.#open--;
    if (this.#open === 0) this.#idle?.();
  }

  /** Resolves when none is open. To be asked once no new ones come. */
  idle(): Promise<void> {
    return this.#open === 0 ? Promise.resolve() : new Promise((resolve) => (this.#idle = resolve));
  }
}

/** The places of an app's operations, by what serves them. */
export interface Places {
  readonly program: Admission;
  readonly function: Admission;
  readonly service: Admission;
}

export interface ServedOperation {
  readonly app: ServedApp;
  /** "GET /pets/{petId}": the handler's key on the instance, and the operation's name in logs. */
  readonly key: string;
  /** Names of the path's parameters, in the order of the template. */
  readonly parameterNames: readonly string[];
  /** Absent: the contract has it, the service file does not; answered 501. */
  readonly handler?: AppOperation;
  readonly contract?: ContractOperation;
  /** Where it gets its place: the app's programs have theirs, its functions others. */
  readonly admission: Admission;
  /** Of a function: its position among the instance's calls. */
  readonly call?: number;
}

export type HandledOperation = ServedOperation & { readonly handler: AppOperation };

/** Whether something serves the operation. */
export function isHandled(operation: ServedOperation): operation is HandledOperation {
  return operation.handler !== undefined;
}

/**
 * A listener's connection on its way through an instance. The connection may let go of it: what the instance still says is then
 * nobody's answer, but what a function logs is logged.
 */
import type { ConnectionSink, Dispatch, DispatchConnection, DispatchOutput, FailureReason, OpenConnection } from "./dispatch.ts";

export interface LinkFailure {
  readonly reason: FailureReason;
  readonly detail: string;
  readonly advice?: string;
}

export interface LinkUser {
  taken(instance: string): void;
  answered(bytes: Uint8Array): void;
  writable(): void;
  output(line: DispatchOutput): void;
  /** The instance has ended it. */
  linkClosed(failure: LinkFailure | undefined): void;
}

export class LineLink implements ConnectionSink {
  /** What was written waits for credit: nothing may be written now. */
  isBlocked = false;
  isOver = false;
  readonly #user: LinkUser;
  #open: OpenConnection | undefined;
  #released = false;

  constructor(user: LinkUser) {
    this.#user = user;
  }

  /** Hands it to an instance. It may be over when this returns. */
  open(dispatch: Dispatch, connection: DispatchConnection): void {
    this.#open = dispatch.connect(connection, this);
  }

  write(lines: Uint8Array, last: boolean): void {
    this.isBlocked = this.#open?.write(lines, last) === false;
  }

  consumed(bytes: number): void {
    if (!this.isOver) this.#open?.consumed(bytes);
  }

  /** Ends it on the instance; its user hears no more of it but what functions log. */
  release(reason: "deadline" | "client-left" | "shutdown"): void {
    this.#released = true;
    if (!this.isOver) this.#open?.reset(reason);
  }

  taken(instance: string): void {
    if (!this.#released) this.#user.taken(instance);
  }

  data(chunk: Uint8Array, _last: boolean): void {
    if (!this.#released && chunk.byteLength > 0) this.#user.answered(chunk);
  }

  writable(): void {
    this.isBlocked = false;
    if (!this.#released) this.#user.writable();
  }

  output(line: DispatchOutput): void {
    this.#user.output(line);
  }

  closed(failure?: LinkFailure): void {
    this.isOver = true;
    if (!this.#released) this.#user.linkClosed(failure);
  }
}

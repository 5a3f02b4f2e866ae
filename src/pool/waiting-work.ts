/**
 * Work that no instance has taken yet, in the order in which it came. It can be written to and reset like any other; how much
 * can wait is the gateway's admission: `scale.concurrency` × `scale.max` calls and `scale.concurrency` programs of an app, and
 * each listener's `max-connections`.
 */
import type { CallHead, ConnectHead, RequestHead } from "../link/messages.ts";
import type { Instance } from "./instance.ts";
import type { CallHandle, ConnectionHandle, ConnectionSink, ExchangeHandle, ExchangeSink, HostReset } from "./work.ts";

export interface Waiting {
  /** Hands it to an instance. It is in no queue any more. */
  goTo(instance: Instance): void;
  /** Tells that no instance will take it. It is in no queue any more. */
  refuse(detail: string, advice?: string): void;
}

export class WaitingProgram implements Waiting, ExchangeHandle {
  readonly #request: RequestHead;
  readonly #sink: ExchangeSink;
  readonly #queue: Set<Waiting>;
  #payload: Uint8Array;
  #handle: ExchangeHandle | undefined;

  constructor(request: RequestHead, payload: Uint8Array, sink: ExchangeSink, queue: Set<Waiting>) {
    this.#request = request;
    this.#payload = payload;
    this.#sink = sink;
    this.#queue = queue;
  }

  goTo(instance: Instance): void {
    this.#queue.delete(this);
    this.#handle = instance.exchange(this.#request, this.#payload, this.#sink);
    this.#payload = nothing;
  }

  refuse(detail: string, advice?: string): void {
    this.#queue.delete(this);
    this.#sink.failed("no-instance", detail, advice);
    this.#sink.ended(undefined);
  }

  consumed(bytes: number): void {
    this.#handle?.consumed(bytes);
  }

  verdict(status: 200 | 422, reasons?: Uint8Array): void {
    this.#handle?.verdict(status, reasons);
  }

  strain(sinceMs: number): string | undefined {
    return this.#handle?.strain(sinceMs);
  }

  reset(reason: HostReset): void {
    if (this.#handle !== undefined) this.#handle.reset(reason);
    else if (this.#queue.delete(this)) this.#sink.ended(undefined);
  }
}

/** What is written to work that waits: kept whole, because the writer has been told to wait after the first piece. */
class Written {
  #chunk: Uint8Array | undefined;
  #last = false;

  add(chunk: Uint8Array, last: boolean): false {
    this.#chunk = this.#chunk === undefined ? chunk : Buffer.concat([this.#chunk, chunk]);
    this.#last = last;
    return false;
  }

  /** True: the writer waits, and may go on. */
  giveTo(handle: { write(chunk: Uint8Array, last: boolean): boolean }): boolean {
    const chunk = this.#chunk;
    this.#chunk = undefined;
    return chunk !== undefined && handle.write(chunk, this.#last);
  }
}

export class WaitingCall implements Waiting, CallHandle {
  readonly #call: CallHead;
  readonly #last: boolean;
  readonly #sink: ExchangeSink;
  readonly #queue: Set<Waiting>;
  readonly #written = new Written();
  #body: Uint8Array;
  #handle: CallHandle | undefined;
  #over = false;

  constructor(call: CallHead, body: Uint8Array, last: boolean, sink: ExchangeSink, queue: Set<Waiting>) {
    this.#call = call;
    this.#body = body;
    this.#last = last;
    this.#sink = sink;
    this.#queue = queue;
  }

  goTo(instance: Instance): void {
    this.#queue.delete(this);
    this.#handle = instance.call(this.#call, this.#body, this.#last, this.#sink);
    this.#body = nothing;
    if (this.#written.giveTo(this.#handle)) this.#sink.writable();
  }

  refuse(detail: string, advice?: string): void {
    this.#queue.delete(this);
    this.#over = true;
    this.#sink.failed("no-instance", detail, advice);
    this.#sink.ended(undefined);
  }

  write(chunk: Uint8Array, last: boolean): boolean {
    if (this.#handle !== undefined) return this.#handle.write(chunk, last);
    return this.#over || this.#written.add(chunk, last);
  }

  consumed(bytes: number): void {
    this.#handle?.consumed(bytes);
  }

  verdict(): void {
    // Nobody waits to be told of a function's reply.
  }

  strain(sinceMs: number): string | undefined {
    return this.#handle?.strain(sinceMs);
  }

  reset(reason: HostReset): void {
    if (this.#handle !== undefined) return this.#handle.reset(reason);
    if (!this.#queue.delete(this)) return;
    this.#over = true;
    this.#sink.ended(undefined);
  }
}

export class WaitingClient implements Waiting, ConnectionHandle {
  readonly #connection: ConnectHead;
  readonly #sink: ConnectionSink;
  readonly #queue: Set<Waiting>;
  readonly #written = new Written();
  #handle: ConnectionHandle | undefined;
  #over = false;

  constructor(connection: ConnectHead, sink: ConnectionSink, queue: Set<Waiting>) {
    this.#connection = connection;
    this.#sink = sink;
    this.#queue = queue;
  }

  goTo(instance: Instance): void {
    this.#queue.delete(this);
    this.#handle = instance.connect(this.#connection, this.#sink);
    if (this.#written.giveTo(this.#handle)) this.#sink.writable();
  }

  refuse(detail: string, advice?: string): void {
    this.#queue.delete(this);
    this.#over = true;
    this.#sink.closed({ reason: "no-instance", detail, ...(advice === undefined ? {} : { advice }) });
  }

  write(lines: Uint8Array, last: boolean): boolean {
    if (this.#handle !== undefined) return this.#handle.write(lines, last);
    return this.#over || this.#written.add(lines, last);
  }

  consumed(bytes: number): void {
    this.#handle?.consumed(bytes);
  }

  reset(reason: Exclude<HostReset, "reply-refused">): void {
    if (this.#handle !== undefined) return this.#handle.reset(reason);
    if (!this.#queue.delete(this)) return;
    this.#over = true;
    this.#sink.closed();
  }
}

const nothing = new Uint8Array(0);

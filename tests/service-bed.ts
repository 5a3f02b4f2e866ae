/** A gateway before daemons of a test's own, with places at them that are given in turn. No instances, no pools. */
import type { AppOperation } from "../src/config/app.ts";
import type { ContractOperation } from "../src/contract/contract.ts";
import { Admission } from "../src/gateway/admission.ts";
import type { Dispatch, OpenPlace, PlaceOutcome, PlaceSink, ServicePlace, Upstream } from "../src/gateway/dispatch.ts";
import type { Front } from "../src/gateway/front.ts";
import { Gateway } from "../src/gateway/gateway.ts";
import { openHttpFront } from "../src/gateway/http-front.ts";
import { type ServedApp, Traffic } from "../src/gateway/operation.ts";
import { Router } from "../src/gateway/router.ts";
import type { HostEvent, Receipt } from "../src/telemetry/receipt.ts";
import { eventually } from "./eventually.ts";
import { connectRaw, type RawConnection, type RawResponse, sendRaw } from "./raw-http.ts";

export interface ServiceBedOptions {
  readonly handler?: Partial<AppOperation>;
  readonly contract?: Partial<ContractOperation>;
  readonly timing?: boolean;
  readonly idleMs?: number;
  readonly bodyBytesMax?: number;
  readonly concurrency?: number;
  readonly trustedProxies?: readonly string[];
}

/** A place that was asked for. */
export interface AskedPlace {
  readonly sink: PlaceSink;
  readonly avoid: readonly string[];
  /** Given to it. */
  instance?: string;
  withdrawn: boolean;
  /** How it was given back. */
  outcome?: PlaceOutcome;
}

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"];

export class ServiceBed implements AsyncDisposable {
  readonly gateway: Gateway;
  readonly front: Front;
  readonly port: number;
  readonly admission: Admission;
  readonly receipts: Receipt[] = [];
  readonly events: HostEvent[] = [];
  readonly places: AskedPlace[] = [];
  /** Whether a place is given at once. */
  gives = true;
  readonly #upstreams: readonly Upstream[];
  #next = 0;

  /** @param daemons ports of the loopback, or whatever else is an instance's: named "i0", "i1". */
  constructor(daemons: readonly (number | Upstream["connect"])[], options: ServiceBedOptions = {}) {
    const { handler, contract, timing = false, idleMs = 60_000, bodyBytesMax = 10_000_000, concurrency = 16_384, trustedProxies } = options;
    this.#upstreams = daemons.map(toUpstream);
    this.gateway = new Gateway({
      log: {
        exchange: (receipt) => void this.receipts.push(receipt),
        output: () => {},
        connection: () => {},
        host: (event) => void this.events.push(event),
      },
      timing,
    });
    const dispatch = {
      place: (sink: PlaceSink, avoid: readonly string[] = []) => this.#place(sink, avoid),
    } as Partial<Dispatch> as Dispatch;
    const app: ServedApp = {
      name: "bed",
      limits: { bodyBytesMax, tmpBytesMax: 0 },
      dispatch,
      traffic: new Traffic(),
      service: { idleMs },
    };
    this.admission = new Admission(concurrency, 16);
    const terms = { kind: "service", timeoutMs: 10_000, validateOut: false, ...handler } as AppOperation;
    this.gateway.route(
      new Router(
        methods.map((method) => ({
          hosts: [],
          path: "/",
          method,
          below: true,
          operation: {
            app,
            key: `${method} /`,
            parameterNames: [],
            handler: terms,
            admission: this.admission,
            ...(contract && { contract: contract as ContractOperation }),
          },
        })),
      ),
    );
    this.front = openHttpFront({ address: "127.0.0.1", port: 0, ...(trustedProxies && { trustedProxies }) }, this.gateway.handle);
    this.port = Number(new URL(this.front.url).port);
  }

  get url(): string {
    return this.front.url;
  }

  async connect(): Promise<RawConnection> {
    return await connectRaw(this.port);
  }

  /** Sends the lines of a head, and a body. */
  async ask(lines: readonly string[], body = "", options?: { readonly toHead?: boolean }): Promise<RawResponse | undefined> {
    return await sendRaw(this.port, `${lines.join("\r\n")}\r\n\r\n${body}`, options);
  }

  /** The nth receipt, from 0. */
  async told(index: number): Promise<Receipt> {
    return await eventually(`receipt ${index} is told`, () => this.receipts[index]);
  }

  /** Everything was given back: places, admission, exchanges. */
  async allGivenBack(): Promise<void> {
    await eventually("nothing is open", () => this.gateway.exchangesOpen === 0 && this.admission.running === 0);
    const kept = this.places.filter(({ instance, outcome }) => instance !== undefined && outcome === undefined);
    if (kept.length > 0) throw new Error(`${kept.length} places were not given back`);
  }

  /** As pools tell of an instance that has ended. */
  lose(instance: string, detail = `The app's instance ${instance} was killed`): void {
    for (const place of this.places) {
      if (place.instance !== instance || place.outcome !== undefined) continue;
      place.outcome = "failed";
      place.sink.lost(detail);
    }
  }

  /** Gives a place to one who waits. */
  give(place: AskedPlace): void {
    this.#give(place);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.gateway.abort();
    await this.front.close();
    this.gateway.close();
  }

  #place(sink: PlaceSink, avoid: readonly string[]): OpenPlace {
    const asked: AskedPlace = { sink, avoid: [...avoid], withdrawn: false };
    this.places.push(asked);
    if (this.gives) this.#give(asked);
    return { withdraw: () => void (asked.withdrawn = true) };
  }

  #give(asked: AskedPlace): void {
    const all = this.#upstreams;
    if (all.length === 0) return asked.sink.failed("no-instance", "The app has no instance");
    let upstream = all[this.#next++ % all.length] as Upstream;
    if (asked.avoid.includes(upstream.instance)) upstream = all[this.#next++ % all.length] as Upstream;
    asked.instance = upstream.instance;
    const place: ServicePlace = {
      instance: upstream.instance,
      upstream,
      release: (outcome) => {
        if (asked.outcome !== undefined) throw new Error("A place was given back twice");
        asked.outcome = outcome;
      },
    };
    asked.sink.placed(place);
  }
}

function toUpstream(daemon: number | Upstream["connect"], index: number): Upstream {
  if (typeof daemon !== "number") return { instance: `i${index}`, connect: daemon };
  const connect = (): never => {
    throw new Error("it has an address");
  };
  return { instance: `i${index}`, address: { host: "127.0.0.1", port: daemon }, connect };
}

/** One version of an app, being served: its instances, its limits, its routes. Replaced whole when the app changes. */
import { cpus } from "node:os";
import { readFile } from "node:fs/promises";
import { relative } from "node:path";
import type { App, AppOperation, EnvironmentEntry, FunctionReference, Listener } from "../config/app.ts";
import { requestPath, templateShape } from "../config/path-template.ts";
import { serviceSources } from "../build/service-sources.ts";
import { programEnvironment } from "../config/surroundings.ts";
import { Admission } from "../gateway/admission.ts";
import { type Places, type ServedApp, type ServedOperation, Traffic } from "../gateway/operation.ts";
import type { RouteEntry } from "../gateway/router.ts";
import type { FunctionSpec, FunctionsSpec, ProgramSpec } from "../link/messages.ts";
import { Pool, type PoolEvents, type PoolService } from "../pool/pool.ts";
import type { Confinement } from "../sandbox/sandbox.ts";
import { everyPath } from "./join-functions.ts";
import type { JoinedOperation, LoadedApp } from "./load-app.ts";
import type { Confinings } from "./sandboxes.ts";
import { type DeliveredSecrets, secretsPrint } from "./secrets.ts";

export type ReadyApp = Extract<LoadedApp, { ok: true }>;

/** From TERM to KILL of a program's process tree. */
export const programGraceMs = 2_000;

export interface RevisionOptions {
  readonly loaded: ReadyApp;
  /** The instances of the app, of all its revisions, have their folders here. */
  readonly folder: string;
  /** Absent: the app has none. */
  readonly secrets: DeliveredSecrets | undefined;
  readonly confinings: Confinings;
  /** What the app keeps from one instance to the next. Absent: nothing. */
  readonly data: string | undefined;
  /** What runners run. */
  readonly runner: { readonly file: string };
  /** The revision that this one replaces: its places are handed on, its reply socket taken over. */
  readonly replaces: Revision | undefined;
  readonly events: PoolEvents;
}

export class Revision {
  readonly loaded: ReadyApp;
  readonly folder: string;
  readonly pool: Pool;
  readonly served: ServedApp;
  readonly routes: readonly RouteEntry<ServedOperation>[];
  readonly #places: Places;
  readonly #secrets: DeliveredSecrets | undefined;
  readonly #confinings: Confinings;
  readonly #confinement: Confinement;

  constructor({ loaded, folder, secrets, data, confinings, runner, replaces, events }: RevisionOptions) {
    const { app } = loaded;
    const own: OwnEnvironment = { secrets, data };
    const functions = functionsOf(loaded, own);
    const service = serviceOf(loaded, own);
    this.loaded = loaded;
    this.folder = folder;
    this.#secrets = secrets;
    this.#confinings = confinings;
    this.#confinement = confinementOf(loaded, own);
    this.pool = new Pool(
      {
        folder,
        sandbox: confinings.sandbox,
        spares: confinings.spares,
        confinement: this.#confinement,
        ...(service === undefined ? {} : { servicePlacesMax: app.scale.concurrency }),
        balance: app.balance,
        scale: app.scale,
        recycle: app.recycle,
        processors: cpus().length,
        runner,
        ...(app.socket === undefined ? {} : { sharedReplySocket: app.socket }),
        takesOverReplySocket: replaces !== undefined && replaces.loaded.app.socket === app.socket,
        load: {
          app: app.name,
          programs: programsOf(loaded, own),
          programsMax: app.scale.concurrency,
          graceMs: programGraceMs,
          environment: programEnvironment(),
          ...(functions === undefined ? {} : { functions }),
          ...(service === undefined ? {} : { service }),
        },
      },
      events,
    );
    this.#places = replaces === undefined ? placesOf(loaded) : replaces.#places;
    this.served = {
      name: app.name,
      limits: app.limits,
      dispatch: this.pool,
      traffic: new Traffic(),
      ...(app.service === undefined ? {} : { service: app.service }),
    };
    this.routes = routesOf(loaded, this.served, this.#places);
  }

  /** Places as the service file says, also those handed on by the revision before. To be called when this one serves. */
  applyLimits(): void {
    const { concurrency, max, queue } = this.loaded.app.scale;
    this.#places.program.resize(concurrency, queue);
    this.#places.function.resize(concurrency * max, queue);
    this.#places.service.resize(concurrency * max, queue);
  }

  /** Whether its instances may begin with a runner that was started ahead, and are ready sooner for it. */
  get usesSpares(): boolean {
    const { sandbox } = this.#confinings;
    // A process costs a program's app nothing that it would feel; a container costs everybody's start.
    const quicker = sandbox.kind === "container" || this.loaded.build !== undefined || this.loaded.app.service !== undefined;
    return quicker && sandbox.takesSpare(this.#confinement);
  }

  /** How long its instances may take to end once they have no work. */
  get endMs(): number {
    return (this.loaded.app.service === undefined ? programGraceMs : serviceGraceMs) + goneMs;
  }

  get sandbox(): App["sandbox"] {
    return this.#confinings.sandbox.kind;
  }

  /** To be called when no route leads here any more. Resolves when nothing of it is left. */
  async retire(): Promise<void> {
    await this.served.traffic.idle();
    await this.pool.drain();
    this.#secrets?.remove();
  }

  /** Ends it at once. Resolves when nothing of it is left. */
  async kill(reason: string): Promise<void> {
    await this.pool.kill(reason);
    this.#secrets?.remove();
  }
}

function placesOf({ app: { scale } }: ReadyApp): Places {
  const perInstance = (): Admission => new Admission(scale.concurrency * scale.max, scale.queue, "scale.concurrency × scale.max");
  return {
    program: new Admission(scale.concurrency, scale.queue, "scale.concurrency"),
    function: perInstance(),
    service: perInstance(),
  };
}

/** What an app is made of, as text: two that are equal are served alike. @param secretsFolder where its secrets are kept. */
export async function fingerprint(loaded: ReadyApp, secretsFolder: string | undefined): Promise<string> {
  const documents = await Promise.all((loaded.contract?.files ?? []).map((file) => readFile(file, "utf8")));
  const daemon = await Promise.all(serviceSources(loaded.app).map(sourcePrint));
  const parts = [loaded.app, documents, loaded.build?.hash, daemon, secretsPrint(loaded.app, secretsFolder)];
  return Bun.hash(JSON.stringify(parts)).toString(16);
}

/** Of a file that may have gone meanwhile. */
async function sourcePrint(file: string): Promise<readonly string[]> {
  return [file, String(Bun.hash(await readFile(file).catch(() => "")))];
}

/** What an app's programs, functions and daemon are told of where its own things lie. */
interface OwnEnvironment {
  readonly secrets: DeliveredSecrets | undefined;
  readonly data: string | undefined;
}

/** @param user that a program runs as; undefined: the host's own. */
function ownEntries({ secrets, data }: OwnEnvironment, user?: string): EnvironmentEntry[] {
  return [
    ...(secrets === undefined ? [] : [["UROCKET_SECRETS", secrets.forUser(user)] as const]),
    ...(data === undefined ? [] : [["UROCKET_APP_DATA", data] as const]),
  ];
}

function confinementOf({ app, build, operations }: ReadyApp, { secrets, data }: OwnEnvironment): Confinement {
  const { name, folder, limits, network, rootfs, service } = app;
  return {
    name,
    folder,
    limits,
    content: {
      programs: operations.some(({ handler }) => handler?.kind === "program"),
      functions: build !== undefined,
      service: service !== undefined,
    },
    ...(build === undefined ? {} : { bundle: build.folder }),
    ...(secrets === undefined ? {} : { secrets: secrets.own }),
    ...(data === undefined ? {} : { data }),
    network,
    ...(rootfs === undefined ? {} : { rootfs }),
  };
}

/** From TERM to KILL of a daemon. */
const serviceGraceMs = 10_000;
/** More than what is ended within its grace ever needs to be gone. */
const goneMs = 2_000;

function serviceOf({ app: { service } }: ReadyApp, own: OwnEnvironment): PoolService | undefined {
  if (service === undefined) return undefined;
  const { argv, wd, env, port, health, startTimeoutMs } = service;
  return { argv, wd, env: [...env, ...ownEntries(own)], port, health, startTimeoutMs, graceMs: serviceGraceMs };
}

function programsOf(loaded: ReadyApp, own: OwnEnvironment): Record<string, ProgramSpec> {
  const programs: Record<string, ProgramSpec> = {};
  for (const { key, handler } of loaded.operations) {
    if (handler?.kind !== "program") continue;
    const { argv, wd, env, channel, user } = handler.inject;
    programs[key] = {
      argv,
      wd,
      env: [...env, ...ownEntries(own, user)],
      channel,
      replyPath: handler.replyPath,
      ...(user === undefined ? {} : { user }),
    };
  }
  return programs;
}

/** An operation that a function serves. */
type FunctionJoined = JoinedOperation & { readonly handler: Extract<AppOperation, { kind: "function" }> };

/** In the order of their positions among the calls. */
function calledOf(operations: readonly JoinedOperation[]): readonly FunctionJoined[] {
  return operations.filter((operation): operation is FunctionJoined => operation.handler?.kind === "function");
}

function functionsOf({ app, build, operations }: ReadyApp, { secrets, data }: OwnEnvironment): FunctionsSpec | undefined {
  if (build === undefined) return undefined;
  const spec = (operation: string, { file, export: name }: FunctionReference): FunctionSpec => {
    const module = build.modules.findIndex((built) => built.file === file);
    return { operation, module, export: name, file: relative(app.folder, file) };
  };
  return {
    bundle: build.bundle,
    folder: app.folder,
    env: [...app.env, ...ownEntries({ secrets: undefined, data })],
    ...(secrets === undefined ? {} : { secrets: secrets.own }),
    calls: calledOf(operations).map(({ key, handler, contract }) => ({
      ...spec(key, handler.function),
      ...(contract === undefined ? {} : { mediaTypes: contract.replyMediaTypes() }),
    })),
    listeners: app.listeners.map((listener: Listener) => spec(listener.name, listener.function)),
    callsMax: app.scale.concurrency,
  };
}

/**
 * The routes of an app, its operations bound to what serves them. Where several differ only in what requests do not carry
 * (a fragment), the first is the one that is reached.
 */
export function routesOf({ app, operations }: ReadyApp, served: ServedApp, places: Places): RouteEntry<ServedOperation>[] {
  const routes = new Map<string, RouteEntry<ServedOperation>>();
  const calls = new Map(calledOf(operations).map((operation, position) => [operation as JoinedOperation, position]));
  for (const joined of operations) {
    const { key, path, method, handler, contract } = joined;
    const below = path === everyPath;
    const template = below ? app.base || "/" : app.base + requestPath(path);
    const shape = `${method} ${templateShape(template)}${below ? " and below" : ""}`;
    if (routes.has(shape)) continue;
    const call = calls.get(joined);
    const operation: ServedOperation = {
      app: served,
      key,
      parameterNames: [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? ""),
      admission: places[handler?.kind ?? "program"],
      ...(handler === undefined ? {} : { handler }),
      ...(contract === undefined ? {} : { contract }),
      ...(call === undefined ? {} : { call }),
    };
    routes.set(shape, { hosts: app.hosts, path: template, method, operation, below });
  }
  return [...routes.values()];
}

/** One version of an app, being served: its instances, its limits, its routes. Replaced whole when the app changes. */
import { cpus } from "node:os";
import { readFile } from "node:fs/promises";
import type { AppOperation, FunctionReference, Listener } from "../config/app.ts";
import { requestPath, templateShape } from "../config/path-template.ts";
import { programEnvironment } from "../config/surroundings.ts";
import { Admission } from "../gateway/admission.ts";
import { type Places, type ServedApp, type ServedOperation, Traffic } from "../gateway/operation.ts";
import type { RouteEntry } from "../gateway/router.ts";
import type { FunctionSpec, FunctionsSpec, ProgramSpec } from "../link/messages.ts";
import { Pool, type PoolEvents } from "../pool/pool.ts";
import type { Spares } from "../pool/spares.ts";
import { everyPath } from "./join-functions.ts";
import type { JoinedOperation, LoadedApp } from "./load-app.ts";
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
  readonly spares: Spares;
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

  constructor({ loaded, folder, secrets, spares, runner, replaces, events }: RevisionOptions) {
    const { app } = loaded;
    const functions = functionsOf(loaded, secrets);
    this.loaded = loaded;
    this.folder = folder;
    this.#secrets = secrets;
    this.pool = new Pool(
      {
        folder,
        limits: app.limits,
        balance: app.balance,
        scale: app.scale,
        recycle: app.recycle,
        processors: cpus().length,
        spares,
        runner,
        ...(app.socket === undefined ? {} : { sharedReplySocket: app.socket }),
        takesOverReplySocket: replaces !== undefined && replaces.loaded.app.socket === app.socket,
        load: {
          app: app.name,
          programs: programsOf(loaded, secrets),
          programsMax: app.scale.concurrency,
          graceMs: programGraceMs,
          environment: programEnvironment(),
          ...(functions === undefined ? {} : { functions }),
        },
      },
      events,
    );
    this.#places = replaces === undefined ? placesOf(loaded) : replaces.#places;
    this.served = { name: app.name, limits: app.limits, dispatch: this.pool, traffic: new Traffic() };
    this.routes = routesOf(loaded, this.served, this.#places);
  }

  /** Places as the service file says, also those handed on by the revision before. To be called when this one serves. */
  applyLimits(): void {
    const { concurrency, max, queue } = this.loaded.app.scale;
    this.#places.program.resize(concurrency, queue);
    this.#places.function.resize(concurrency * max, queue);
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
  return {
    program: new Admission(scale.concurrency, scale.queue, "scale.concurrency"),
    function: new Admission(scale.concurrency * scale.max, scale.queue, "scale.concurrency × scale.max"),
  };
}

/** What an app is made of, as text: two that are equal are served alike. @param secretsFolder where its secrets are kept. */
export async function fingerprint(loaded: ReadyApp, secretsFolder: string | undefined): Promise<string> {
  const documents = await Promise.all((loaded.contract?.files ?? []).map((file) => readFile(file, "utf8")));
  return Bun.hash(JSON.stringify([loaded.app, documents, loaded.build?.hash, secretsPrint(loaded.app, secretsFolder)])).toString(16);
}

function programsOf(loaded: ReadyApp, secrets: DeliveredSecrets | undefined): Record<string, ProgramSpec> {
  const programs: Record<string, ProgramSpec> = {};
  for (const { key, handler } of loaded.operations) {
    if (handler?.kind !== "program") continue;
    const { argv, wd, env, channel, user } = handler.inject;
    const more = secrets === undefined ? [] : [["UROCKET_SECRETS", secrets.forUser(user)] as const];
    programs[key] = { argv, wd, env: [...env, ...more], channel, replyPath: handler.replyPath, ...(user === undefined ? {} : { user }) };
  }
  return programs;
}

/** An operation that a function serves. */
type FunctionJoined = JoinedOperation & { readonly handler: Extract<AppOperation, { kind: "function" }> };

/** In the order of their positions among the calls. */
function calledOf(operations: readonly JoinedOperation[]): readonly FunctionJoined[] {
  return operations.filter((operation): operation is FunctionJoined => operation.handler?.kind === "function");
}

function functionsOf({ app, build, operations }: ReadyApp, secrets: DeliveredSecrets | undefined): FunctionsSpec | undefined {
  if (build === undefined) return undefined;
  const spec = (operation: string, { file, export: name }: FunctionReference): FunctionSpec => {
    const module = build.modules.findIndex((built) => built.file === file);
    return { operation, module, export: name };
  };
  return {
    bundle: build.bundle,
    folder: app.folder,
    env: app.env,
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

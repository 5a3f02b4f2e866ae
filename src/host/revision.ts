/** One version of an app, being served: its instances, its limits, its routes. Replaced whole when the app changes. */
import { cpus } from "node:os";
import { readFile } from "node:fs/promises";
import { requestPath, templateShape } from "../config/path-template.ts";
import { programEnvironment } from "../config/surroundings.ts";
import { Admission } from "../gateway/admission.ts";
import { type ServedApp, type ServedOperation, Traffic } from "../gateway/operation.ts";
import type { RouteEntry } from "../gateway/router.ts";
import type { ProgramSpec } from "../link/messages.ts";
import { Pool, type PoolEvents } from "../pool/pool.ts";
import type { LoadedApp } from "./load-app.ts";

export type ReadyApp = Extract<LoadedApp, { ok: true }>;

/** From TERM to KILL of a program's process tree. */
export const programGraceMs = 2_000;

export interface RevisionOptions {
  readonly loaded: ReadyApp;
  /** The instances of the app, of all its revisions, have their folders here. */
  readonly folder: string;
  /** The revision that this one replaces: its places are handed on, its reply socket taken over. */
  readonly replaces?: Revision;
  readonly events: PoolEvents;
}

export class Revision {
  readonly loaded: ReadyApp;
  readonly folder: string;
  readonly pool: Pool;
  readonly served: ServedApp;
  readonly routes: readonly RouteEntry<ServedOperation>[];

  constructor({ loaded, folder, replaces, events }: RevisionOptions) {
    const { app } = loaded;
    this.loaded = loaded;
    this.folder = folder;
    this.pool = new Pool(
      {
        folder,
        limits: app.limits,
        balance: app.balance,
        // Programs want processors: a runner for each is the most that helps, unless more are asked to be kept.
        scale: { ...app.scale, max: Math.max(1, app.scale.min, Math.min(app.scale.max, cpus().length)) },
        ...(app.socket === undefined ? {} : { sharedReplySocket: app.socket }),
        takesOverReplySocket: replaces !== undefined && replaces.loaded.app.socket === app.socket,
        load: {
          app: app.name,
          programs: programsOf(loaded),
          programsMax: app.scale.concurrency,
          graceMs: programGraceMs,
          environment: programEnvironment(),
        },
      },
      events,
    );
    const admission = replaces?.served.admission ?? new Admission(app.scale.concurrency, app.scale.queue);
    this.served = { name: app.name, limits: app.limits, admission, dispatch: this.pool, traffic: new Traffic() };
    this.routes = routesOf(loaded, this.served);
  }

  /** Places as the service file says, also those handed on by the revision before. To be called when this one serves. */
  applyLimits(): void {
    const { concurrency, queue } = this.loaded.app.scale;
    this.served.admission.resize(concurrency, queue);
  }

  /** To be called when no route leads here any more. Resolves when nothing of it is left. */
  async retire(): Promise<void> {
    await this.served.traffic.idle();
    await this.pool.drain();
  }
}

/** What an app is made of, as text: two that are equal are served alike. */
export async function fingerprint(loaded: ReadyApp): Promise<string> {
  const documents = await Promise.all((loaded.contract?.files ?? []).map((file) => readFile(file, "utf8")));
  return Bun.hash(JSON.stringify([loaded.app, documents])).toString(16);
}

function programsOf(loaded: ReadyApp): Record<string, ProgramSpec> {
  const programs: Record<string, ProgramSpec> = {};
  for (const { key, handler } of loaded.operations) {
    if (handler === undefined) continue;
    const { argv, wd, env, channel, user } = handler.inject;
    programs[key] = { argv, wd, env, channel, replyPath: handler.replyPath, ...(user === undefined ? {} : { user }) };
  }
  return programs;
}

/**
 * The routes of an app, its operations bound to what serves them. Where several differ only in what requests do not carry
 * (a fragment), the first is the one that is reached.
 */
export function routesOf({ app, operations }: ReadyApp, served: ServedApp): RouteEntry<ServedOperation>[] {
  const routes = new Map<string, RouteEntry<ServedOperation>>();
  for (const { key, path, method, handler, contract } of operations) {
    const template = app.base + requestPath(path);
    const shape = `${method} ${templateShape(template)}`;
    if (routes.has(shape)) continue;
    const operation: ServedOperation = {
      app: served,
      key,
      parameterNames: [...template.matchAll(/\{([^}]*)\}/g)].map((match) => match[1] ?? ""),
      ...(handler === undefined ? {} : { handler }),
      ...(contract === undefined ? {} : { contract }),
    };
    routes.set(shape, { hosts: app.hosts, path: template, method, operation });
  }
  return [...routes.values()];
}

/**
 * The composition root of `urocket serve`: loads the apps, starts their instances, opens the front, and stops all of it in
 * the opposite order. What it starts it ends, also when a later step fails.
 */
import { lookup } from "node:dns/promises";
import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runtimeFolders } from "../config/surroundings.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { codeOf } from "../core/system-error.ts";
import { Gateway } from "../gateway/gateway.ts";
import { type Front, openHttpFront } from "../gateway/http-front.ts";
import type { ServedOperation } from "../gateway/operation.ts";
import { problemResponse } from "../gateway/problem-response.ts";
import { RouteConflict, Router } from "../gateway/router.ts";
import type { ProgramSample } from "../link/messages.ts";
import { InstanceFailure } from "../pool/instance.ts";
import type { PoolEvents } from "../pool/pool.ts";
import { detectMemoryAccounting, sweepGroups } from "../sandbox/instance-groups.ts";
import type { HostSettings, ReloadedApp, ReloadOutcome, RunningHost, ServedApp, StartFailure, StartOutcome } from "./host.ts";
import { loadApp } from "./load-app.ts";
import { fingerprint, programGraceMs, type ReadyApp, Revision } from "./revision.ts";
import { openRunFolder, passable, RunFolderFailure } from "./run-folder.ts";
import { FileWatch } from "./watch.ts";

/** Starts a host. A failure leaves nothing behind. */
export async function startHost(settings: HostSettings): Promise<StartOutcome> {
  const loaded = await loadAll(settings.folders);
  if (!loaded.ok) return { ok: false, failure: { kind: "configuration", problems: loaded.problems } };
  const unknown = await findAddress(settings.address);
  if (unknown !== undefined) return { ok: false, failure: unknown };
  const host = new Host(settings);
  try {
    await host.start(loaded.apps);
    return { ok: true, host, warnings: loaded.apps.flatMap((app) => app.warnings) };
  } catch (error) {
    await host.stop();
    return { ok: false, failure: toFailure(error, settings) };
  }
}

/** Before an instance is started for it. The kernel's own answer to a name that nobody knows would be EAGAIN. */
async function findAddress(address: string): Promise<StartFailure | undefined> {
  try {
    await lookup(address);
    return undefined;
  } catch {
    return {
      kind: "address-not-found",
      message: `Cannot find the address ${address}: no host is known by that name`,
      hint: "Choose 127.0.0.1, 0.0.0.0, localhost or one that 'ip addr' shows with --address",
    };
  }
}

async function loadAll(
  folders: readonly string[],
): Promise<{ readonly ok: true; readonly apps: readonly ReadyApp[] } | { readonly ok: false; readonly problems: readonly Diagnostic[] }> {
  const loaded = await Promise.all(folders.map(loadApp));
  const problems = loaded.flatMap((app) => (app.ok ? [] : app.problems));
  const apps = loaded.filter((app) => app.ok);
  const names = new Map<string, string>();
  for (const { app } of apps) {
    const other = names.get(app.name);
    if (other !== undefined) {
      problems.push({
        severity: "error",
        file: app.file,
        message: `App "${app.name}" is served already, from ${other}`,
        hint: `Give one of them another name: "name: ..." in its service file`,
      });
    }
    names.set(app.name, app.folder);
  }
  return problems.length === 0 ? { ok: true, apps } : { ok: false, problems };
}

/** An app with the revision that serves it now. */
interface Serving {
  readonly folder: string;
  revision: Revision;
  fingerprint: string;
}

class Host implements RunningHost {
  readonly #settings: HostSettings;
  readonly #gateway: Gateway;
  readonly #serving: Serving[] = [];
  readonly #retiring = new Map<Revision, Promise<void>>();
  readonly #samples = new Map<string, readonly ProgramSample[]>();
  readonly #watch: FileWatch;
  #runFolder: string | undefined;
  #appFolders = 0;
  #front: Front | undefined;
  #draining: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #reloading: Promise<ReloadOutcome> | undefined;
  /** The new version of a reload that is under way. */
  #starting: Revision | undefined;

  constructor(settings: HostSettings) {
    this.#settings = settings;
    this.#gateway = new Gateway({ log: settings.log, timing: settings.timing });
    this.#watch = new FileWatch(() => {
      this.reload().catch((error: unknown) =>
        settings.log.host({ level: "error", event: "reload-failed", message: `Cannot reload: ${messageOf(error)}` }),
      );
    });
  }

  async start(apps: readonly ReadyApp[]): Promise<void> {
    // What hosts that were killed left behind goes first, so that nothing of theirs is taken for ours.
    sweepGroups();
    this.#runFolder = openRunFolder(runtimeFolders());
    const revisions = apps.map((loaded) => this.#makeRevision(loaded));
    const router = new Router(revisions.flatMap((revision) => revision.routes));
    for (const revision of revisions) {
      this.#serving.push({ folder: revision.loaded.app.folder, revision, fingerprint: await fingerprint(revision.loaded) });
    }
    await Promise.all(revisions.map(startInstances));
    this.#gateway.route(router);
    const { address, port, log } = this.#settings;
    this.#front = openHttpFront(
      {
        address,
        port,
        failed: (error) => {
          log.host({
            level: "error",
            event: "gateway-failure",
            message: `The gateway failed on a request: ${error.stack ?? error.message}`,
          });
          const requestId = crypto.randomUUID();
          const problem = { kind: "host-failure", detail: "The host failed on this request; its log says how" } as const;
          return problemResponse(problem, new Headers({ "x-request-id": requestId }), requestId);
        },
      },
      (request, connection) => this.#gateway.handle(request, connection),
    );
    if (this.#settings.watch) this.#watchFiles();
    this.#tellMemoryAccounting();
  }

  get url(): string {
    return this.#front?.url ?? "";
  }

  get apps(): readonly ServedApp[] {
    return this.#serving.map(({ folder, revision: { loaded, pool } }) => ({
      name: loaded.app.name,
      folder,
      operations: loaded.operations.map(({ method, path, handler, contract }) => ({
        method,
        path: loaded.app.base + path,
        handled: handler !== undefined,
        validated: contract !== undefined && handler !== undefined && handler.validateIn !== false,
      })),
      limitsNotHeld: pool.limitsNotHeld,
    }));
  }

  running(): readonly ProgramSample[] {
    return [...this.#samples.values()].flat();
  }

  async reload(): Promise<ReloadOutcome> {
    // One at a time; a change that comes meanwhile is seen by the next.
    while (this.#reloading !== undefined) await this.#reloading;
    this.#reloading = this.#reloadAll();
    try {
      return await this.#reloading;
    } finally {
      this.#reloading = undefined;
      if (this.#settings.watch && this.#draining === undefined) this.#watchFiles();
    }
  }

  drain(): Promise<void> {
    this.#draining ??= this.#drain();
    return this.#draining;
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #drain(): Promise<void> {
    this.#watch.close();
    const closed = this.#front?.drain();
    const idle = this.#gateway.drain();
    if (!(await within(idle, this.#settings.graceMs))) {
      this.#gateway.abort();
      await within(idle, programGraceMs * 2);
    }
    if (closed !== undefined) await within(closed, 1_000);
    await within(
      Promise.all([...this.#serving.map(({ revision }) => revision.pool.drain()), ...this.#retiring.values()]),
      programGraceMs * 2,
    );
    await this.stop();
  }

  async #stop(): Promise<void> {
    this.#watch.close();
    void this.#front?.drain();
    this.#gateway.abort();
    const revisions = [...this.#serving.map(({ revision }) => revision), ...this.#retiring.keys()];
    if (this.#starting !== undefined) revisions.push(this.#starting);
    await Promise.all(revisions.map((revision) => revision.pool.kill("the host was stopped")));
    // It fails by that, and tells so itself; what it began has to be gone.
    await this.#reloading?.catch(() => {});
    await this.#front?.close();
    this.#gateway.close();
    if (this.#runFolder !== undefined) rmSync(this.#runFolder, { recursive: true, force: true });
  }

  #tellMemoryAccounting(): void {
    const accounting = detectMemoryAccounting();
    if (accounting.kind === "cgroup") return;
    const message = `Programs' peak memory is sampled, not measured: ${accounting.reason}`;
    this.#settings.log.host({ level: "info", event: "memory-sampled", message });
  }

  #makeRevision(loaded: ReadyApp, replaces?: Revision): Revision {
    const folder = replaces?.folder ?? this.#makeAppFolder();
    const { log } = this.#settings;
    const events: PoolEvents = {
      sample: (instance, sample) => this.#samples.set(instance, sample.programs),
      stopped: (instance, reason, expected) => {
        this.#samples.delete(instance);
        const fields = { app: loaded.app.name, instance };
        if (expected) log.host({ level: "info", event: "instance-stopped", message: `An instance of ${loaded.app.name} stopped`, fields });
        else log.host({ level: "error", event: "instance-died", message: `An instance of ${loaded.app.name} is gone: ${reason}`, fields });
      },
    };
    return new Revision({ loaded, folder, events, ...(replaces === undefined ? {} : { replaces }) });
  }

  /** An app's revisions share a folder, so that a reply which reaches another revision's socket finds its own instance. */
  #makeAppFolder(): string {
    const folder = join(this.#runFolder ?? "", `a${this.#appFolders++}`);
    mkdirSync(folder, { mode: passable });
    chmodSync(folder, passable);
    return folder;
  }

  async #reloadAll(): Promise<ReloadOutcome> {
    const apps: ReloadedApp[] = [];
    for (const serving of this.#serving) {
      const told = { ...(await this.#reloadOne(serving)), name: serving.revision.loaded.app.name, folder: serving.folder };
      apps.push(told);
      this.#settings.onReload?.(told);
    }
    return { apps };
  }

  async #reloadOne(serving: Serving): Promise<Pick<ReloadedApp, "outcome" | "problems">> {
    const loaded = await loadApp(serving.folder);
    if (!loaded.ok) return { outcome: "kept-old", problems: loaded.problems };
    const print = await fingerprint(loaded);
    if (print === serving.fingerprint) return { outcome: "unchanged", problems: loaded.warnings };
    if (this.#stopping !== undefined) return { outcome: "kept-old", problems: [] };
    const old = serving.revision;
    const fresh = this.#makeRevision(loaded, old);
    this.#starting = fresh;
    try {
      const others = this.#serving.filter((other) => other !== serving).map(({ revision }) => revision);
      const router = new Router([...others, fresh].flatMap((revision) => revision.routes));
      await startInstances(fresh);
      if (this.#draining !== undefined || this.#stopping !== undefined) throw new Error("The host is stopping");
      serving.revision = fresh;
      serving.fingerprint = print;
      fresh.applyLimits();
      this.#gateway.route(router);
    } catch (error) {
      await fresh.pool.kill("its revision could not start");
      const problem: Diagnostic = isRouteConflict(error)
        ? conflict(error)
        : { severity: "error", file: loaded.app.file, message: messageOf(error) };
      return { outcome: "kept-old", problems: [...loaded.warnings, problem] };
    } finally {
      this.#starting = undefined;
    }
    this.#retiring.set(
      old,
      old.retire().finally(() => this.#retiring.delete(old)),
    );
    return { outcome: "reloaded", problems: loaded.warnings };
  }

  #watchFiles(): void {
    this.#watch.set(this.#serving.flatMap(({ revision: { loaded } }) => [loaded.app.file, ...(loaded.contract?.files ?? [])]));
  }
}

async function startInstances(revision: Revision): Promise<void> {
  try {
    await revision.pool.start();
  } catch (error) {
    const code = error instanceof InstanceFailure ? error.code : undefined;
    throw new InstanceFailure(`App "${revision.loaded.app.name}" cannot start: its instance ${messageOf(error)}`, code);
  }
}

/** Whether it settled in time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(resolve, ms, false)));
  const done = await Promise.race([work.then(() => true), late]);
  clearTimeout(timer);
  return done;
}

function toFailure(error: unknown, { address, port }: HostSettings): StartFailure {
  if (isRouteConflict(error)) return { kind: "configuration", problems: [conflict(error)] };
  if (error instanceof InstanceFailure) {
    const { message, code } = error;
    if (code !== "reply-socket-in-use") return { kind: "instance-failed", message };
    const hint = "Another host serves this app, or one with the same `socket:`. End it, or give this one a `socket:` of its own";
    return { kind: code, message, hint };
  }
  if (error instanceof RunFolderFailure) return { kind: "no-run-folder", message: error.message, hint: error.hint };
  switch (codeOf(error)) {
    case "EADDRINUSE":
      return {
        kind: "address-in-use",
        message: `Cannot listen on ${address} port ${port}: it is in use`,
        hint: `Choose another with --port, or see who has it: ss -ltnp "sport = :${port}"`,
      };
    case "EACCES":
      return {
        kind: "address-not-allowed",
        message: `Cannot listen on ${address} port ${port}: ports below 1024 need root or CAP_NET_BIND_SERVICE`,
        hint: "Choose a port from 1024 with --port",
      };
    case "EADDRNOTAVAIL":
      return {
        kind: "address-not-allowed",
        message: `Cannot listen on ${address}: this machine does not have the address`,
        hint: "Choose 127.0.0.1, 0.0.0.0 or one that 'ip addr' shows with --address",
      };
    default:
      return { kind: "instance-failed", message: messageOf(error) };
  }
}

function isRouteConflict(error: unknown): error is RouteConflict<ServedOperation> {
  return error instanceof RouteConflict;
}

/** Two apps claim the same requests (within one app the service file's checker has found it). */
function conflict({ first, second }: RouteConflict<ServedOperation>): Diagnostic {
  return {
    severity: "error",
    message: `${second.key} of app "${second.app.name}" would answer the same requests as ${first.key} of app "${first.app.name}"`,
    hint: 'Give one of them another "base" or other "hosts"',
    ...(second.handler === undefined ? {} : { place: second.handler.place }),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * The composition root of `urocket serve`: loads the apps, starts their instances, opens the front, and stops all of it in
 * the opposite order. What it starts it ends, also when a later step fails.
 */
import { lookup } from "node:dns/promises";
import type { App } from "../config/app.ts";
import { RunnerBundle } from "../build/runner-bundle.ts";
import { isDiskFull } from "../core/system-error.ts";
import type { Front } from "../gateway/front.ts";
import { Gateway } from "../gateway/gateway.ts";
import { openHttpFront, tryListening } from "../gateway/http-front.ts";
import { connectionsWithin } from "../gateway/http-limits.ts";
import type { ServedOperation } from "../gateway/operation.ts";
import type { Pages } from "../gateway/pages.ts";
import { Router } from "../gateway/router.ts";
import type { ProgramSample } from "../link/messages.ts";
import { endFields, type InstanceSample } from "../telemetry/instance-sample.ts";
import { InstanceFailure } from "../pool/instance.ts";
import type { PoolEvents } from "../pool/pool.ts";
import { sweepContainers } from "../sandbox/container-leftovers.ts";
import { sweepGroups } from "../sandbox/group-leftovers.ts";
import { detectMemoryAccounting } from "../sandbox/instance-groups.ts";
import { sweepNetworks } from "../sandbox/network.ts";
import { openFilesMax } from "../sandbox/open-files.ts";
import { settleInGroups } from "../sandbox/own-scope.ts";
import { appDataFolder } from "./app-data.ts";
import { docsPages } from "./docs-pages.ts";
import type { HostSettings, ReloadedApp, ReloadOutcome, RunningHost, ServedApp, StartFailure, StartOutcome } from "./host.ts";
import { HostFolder } from "./host-folder.ts";
import { Listeners } from "./listeners.ts";
import type { LoadedApp } from "./load-app.ts";
import { filesOf, loadApps, loadForHost } from "./load-apps.ts";
import { fingerprint, programGraceMs, type ReadyApp, Revision } from "./revision.ts";
import { Sandboxes } from "./sandboxes.ts";
import { type DeliveredSecrets, deliverSecrets } from "./secrets.ts";
import { fullRunFolder, httpListenFailure, messageOf, revisionProblem, toStartFailure } from "./start-failure.ts";
import { TypeChecks } from "./type-checks.ts";
import { unreadableIn } from "./unreadable-app.ts";
import { FileWatch } from "./watch.ts";

/** Starts a host. A failure leaves nothing behind. */
export async function startHost(settings: HostSettings): Promise<StartOutcome> {
  let folder: HostFolder;
  try {
    await settleInGroups();
    // Before anything is made, so that nothing of theirs is taken for ours.
    sweepContainers();
    await sweepNetworks();
    await sweepGroups();
    folder = new HostFolder();
  } catch (error) {
    return { ok: false, failure: toStartFailure(error), inputs: [] };
  }
  const host = new Host(settings, folder);
  let inputs: readonly string[] = [];
  const failed = async (failure: StartFailure): Promise<StartOutcome> => {
    await host.stop();
    return { ok: false, failure, inputs: isOfApps(failure) ? inputs : [] };
  };
  try {
    const loaded = await loadApps(settings, folder.builds);
    inputs = loaded.ok ? loaded.apps.flatMap(filesOf) : loaded.inputs;
    if (!loaded.ok) return await failed({ kind: "configuration", problems: loaded.problems });
    const untaken = (await findAddress(settings.address)) ?? tryAddress(settings);
    if (untaken !== undefined) return await failed(untaken);
    settings.onLoaded?.(inputs);
    await host.start(loaded.apps);
    return { ok: true, host, warnings: loaded.apps.flatMap((app) => app.warnings) };
  } catch (error) {
    return await failed(isDiskFull(error) ? fullRunFolder(folder.path, error) : toStartFailure(error));
  }
}

/** The apps are to be mended, and not the machine. */
function isOfApps({ kind }: StartFailure): boolean {
  return kind === "configuration" || kind === "instance-failed";
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

/** Before anything is started that would be in vain; the front, which listens when the apps are up, has the last word. */
function tryAddress({ address, port }: HostSettings): StartFailure | undefined {
  try {
    tryListening(address, port);
    return undefined;
  } catch (error) {
    return httpListenFailure(error, { address, port }).failure;
  }
}

/** An app with the revision that serves it now. */
interface Serving {
  readonly folder: string;
  revision: Revision;
  fingerprint: string;
  /** Files of a version that is not served: because something is wrong with it, or not yet. */
  untaken: readonly string[];
}

/** A new version whose first instance is not up yet. */
interface Starting {
  readonly revision: Revision;
  readonly fingerprint: string;
  /** A newer version is there, and this one was ended. */
  overtaken: boolean;
}

class Host implements RunningHost {
  readonly #settings: HostSettings;
  readonly #folder: HostFolder;
  readonly #gateway: Gateway;
  readonly #serving: Serving[] = [];
  readonly #retiring = new Map<Revision, Promise<void>>();
  readonly #samples = new Map<string, readonly ProgramSample[]>();
  readonly #watch: FileWatch;
  readonly #listeners: Listeners;
  readonly #runner = new RunnerBundle();
  /** Ends what goes on beside serving. */
  readonly #beside = new AbortController();
  /** The contracts of what is served now, for people. */
  #docs: Pages | undefined;
  readonly #sandboxes: Sandboxes;
  #runnerMade: Promise<unknown> | undefined;
  /** In "dev" only. */
  readonly #typeChecks: TypeChecks | undefined;
  #front: Front | undefined;
  #draining: Promise<void> | undefined;
  #stopping: Promise<void> | undefined;
  #reloading: Promise<ReloadOutcome> | undefined;
  /** The new version of a reload that is under way. */
  #starting: Starting | undefined;
  /** One at a time, too: an app is never loaded twice at once. */
  #overtaking: Promise<void> = Promise.resolve();

  constructor(settings: HostSettings, folder: HostFolder) {
    this.#settings = settings;
    this.#folder = folder;
    const { log, timing, docs, mode, onTypes } = settings;
    if (mode === "dev" && onTypes !== undefined) this.#typeChecks = new TypeChecks(folder.builds, onTypes);
    this.#gateway = new Gateway({
      log,
      timing,
      ...(docs ? { pages: (path) => this.#docs?.(path) } : {}),
    });
    this.#listeners = new Listeners(log);
    const warn = (message: string): void => log.host({ level: "warn", event: "sandbox-limited", message });
    this.#sandboxes = new Sandboxes({ settings, folder: folder.path, runner: this.#runner, warn });
    this.#watch = new FileWatch((seenAt) => {
      this.reload(seenAt).catch((error: unknown) =>
        log.host({ level: "error", event: "reload-failed", message: `Cannot reload: ${messageOf(error)}` }),
      );
    });
  }

  async start(apps: readonly ReadyApp[]): Promise<void> {
    const { address, port, log, watch } = this.#settings;
    await this.#sandboxes.prepare(apps.map(({ app }) => app));
    const revisions = apps.map((loaded) => this.#makeRevision(loaded));
    const router = new Router(revisions.flatMap((revision) => revision.routes));
    for (const revision of revisions) {
      const { app } = revision.loaded;
      this.#serving.push({
        folder: app.folder,
        revision,
        fingerprint: await fingerprint(revision.loaded, this.#settings.secretsFolder),
        untaken: [],
      });
    }
    await this.#listeners.open(revisions);
    await this.#startAll(revisions);
    this.#route(router);
    this.#listeners.serve(revisions);
    try {
      this.#front = openHttpFront(
        {
          address,
          port,
          trustedProxies: this.#settings.trustedProxies,
          limits: { connectionsMax: connectionsWithin(openFilesMax()) },
          onRefused: (refused) => log.exchange(refused),
          onDefect: (error) =>
            log.host({
              level: "error",
              event: "gateway-failure",
              message: `The gateway failed on a request: ${error.stack ?? error.message}`,
            }),
        },
        this.#gateway.handle,
      );
    } catch (error) {
      throw httpListenFailure(error, { address, port });
    }
    this.#startSpares();
    this.#folder.describe(this);
    if (watch) this.#watchFiles();
    if (apps.some(({ operations }) => operations.some(({ handler }) => handler?.kind === "program"))) this.#tellMemoryAccounting();
    for (const { loaded } of revisions) this.#typeChecks?.check(loaded);
  }

  /** The first instances of every app. @throws the failure of one, or the reason for which the start was given up. */
  async #startAll(revisions: readonly Revision[]): Promise<void> {
    const { givenUp } = this.#settings;
    givenUp?.throwIfAborted();
    const giveUp = (): void => revisions.forEach((revision) => void revision.kill("the start was given up"));
    givenUp?.addEventListener("abort", giveUp, { once: true });
    try {
      await Promise.all(revisions.map(startInstances));
      givenUp?.throwIfAborted();
    } finally {
      givenUp?.removeEventListener("abort", giveUp);
    }
  }

  get url(): string {
    return this.#front?.url ?? "";
  }

  get apps(): readonly ServedApp[] {
    return this.#serving.map(({ folder, revision: { loaded, pool, sandbox } }) => ({
      name: loaded.app.name,
      folder,
      sandbox,
      network: loaded.app.network,
      operations: loaded.operations.map(({ method, path, handler, contract }) => ({
        method,
        path: loaded.app.base + path,
        handled: handler !== undefined,
        ...(handler === undefined ? {} : { handler: handler.kind }),
        ...(contract?.operationId === undefined ? {} : { operationId: contract.operationId }),
        validated: contract !== undefined && handler !== undefined && handler.validateIn !== false,
      })),
      listeners: this.#listeners.of(folder),
      limitsNotHeld: pool.limitsNotHeld,
    }));
  }

  get network(): RunningHost["network"] {
    return this.#sandboxes.network;
  }

  instances(): readonly InstanceSample[] {
    return this.#revisions.flatMap(({ pool }) => pool.instances());
  }

  running(): readonly ProgramSample[] {
    return [...this.#samples.values()].flat();
  }

  async reload(askedAt = performance.now()): Promise<ReloadOutcome> {
    // One at a time; a change that comes meanwhile is seen by the next.
    while (this.#reloading !== undefined) {
      this.#overtaking = this.#overtaking.then(() => this.#overtake());
      await this.#reloading.catch(() => {});
      await this.#overtaking;
    }
    this.#reloading = this.#reloadAll(askedAt);
    try {
      return await this.#reloading;
    } finally {
      this.#reloading = undefined;
      this.#removeBuilds();
      this.#watchWhileServing();
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
    const idle = Promise.all([this.#gateway.drain(), this.#listeners.drain()]);
    if (!(await within(idle, this.#settings.graceMs))) {
      this.#gateway.abort();
      this.#listeners.close();
      await within(idle, programGraceMs * 2);
    }
    if (closed !== undefined) await within(closed, 1_000);
    await within(
      Promise.all([...this.#serving.map(({ revision }) => revision.pool.drain()), ...this.#retiring.values()]),
      Math.max(...this.#revisions.map(({ endMs }) => endMs)),
    );
    await this.stop();
  }

  async #stop(): Promise<void> {
    this.#watch.close();
    this.#typeChecks?.close();
    this.#beside.abort();
    void this.#front?.drain();
    this.#gateway.abort();
    this.#listeners.close();
    await Promise.all([this.#sandboxes.closeSpares(), ...this.#revisions.map((revision) => revision.kill("the host was stopped"))]);
    // It fails by that, and tells so itself; what it began has to be gone.
    await this.#reloading?.catch(() => {});
    await this.#front?.close();
    this.#gateway.close();
    await this.#sandboxes.close();
    this.#folder.remove();
  }

  /** All that something is left of. */
  get #revisions(): readonly Revision[] {
    const starting = this.#starting === undefined ? [] : [this.#starting.revision];
    return [...this.#serving.map(({ revision }) => revision), ...this.#retiring.keys(), ...starting];
  }

  /** Not while apps are loaded, which may turn out to be made of an old build again. */
  #removeBuilds(): void {
    if (this.#reloading !== undefined || this.#stopping !== undefined) return;
    this.#folder.keepBuilds(this.#revisions.flatMap(({ loaded }) => loaded.build?.folder ?? []));
  }

  /** Runners for instances that will be started, once what they run is one file. */
  #startSpares(): void {
    const kinds = new Set(this.#serving.flatMap(({ revision }) => (revision.usesSpares ? [revision.sandbox] : [])));
    if (kinds.size === 0) return;
    this.#runnerMade ??= this.#runner.make(this.#folder.builds, this.#beside.signal);
    void this.#runnerMade.then(() => {
      if (this.#stopping === undefined) this.#sandboxes.keepSpares(this.#settings.spares, kinds);
    });
  }

  #tellMemoryAccounting(): void {
    const accounting = detectMemoryAccounting();
    if (accounting.kind === "cgroup") return;
    const message = `Programs' peak memory is sampled, not measured: ${accounting.reason}`;
    this.#settings.log.host({ level: "info", event: "memory-sampled", message });
  }

  #makeRevision(loaded: ReadyApp, replaces?: Revision): Revision {
    const folder = replaces?.folder ?? this.#folder.makeAppFolder();
    const { log } = this.#settings;
    const events: PoolEvents = {
      output: (instance, { id, ...line }) =>
        log.output({ app: loaded.app.name, instance, ...(id === undefined ? {} : { requestId: id, exchangeId: id }), ...line }),
      sample: (instance, sample) => this.#samples.set(instance, sample.programs),
      health: (instance, state, detail) => {
        const fields = { app: loaded.app.name, instance };
        const message =
          state === "failing" ? `A daemon of ${loaded.app.name} fails: ${detail}` : `A daemon of ${loaded.app.name} is well again`;
        log.host({ level: state === "failing" ? "warn" : "info", event: `service-${state}`, message, fields });
      },
      stopped: (instance, reason, expected, usage) => {
        this.#samples.delete(instance);
        const fields = { app: loaded.app.name, instance, ...endFields(usage) };
        if (expected) log.host({ level: "info", event: "instance-stopped", message: `An instance of ${loaded.app.name} stopped`, fields });
        else log.host({ level: "error", event: "instance-died", message: `An instance of ${loaded.app.name} is gone: ${reason}`, fields });
      },
    };
    const { app } = loaded;
    const secrets = this.#deliverSecrets(loaded, folder);
    const data = app.data ? appDataFolder(this.#settings.dataFolder, app) : undefined;
    return new Revision({ loaded, folder, secrets, data, confinings: this.#sandboxes.of(app), runner: this.#runner, replaces, events });
  }

  #deliverSecrets({ app }: ReadyApp, folder: string): DeliveredSecrets | undefined {
    const { secretsFolder } = this.#settings;
    if (app.secrets.length === 0 || secretsFolder === undefined) return undefined;
    return deliverSecrets(app, secretsFolder, this.#folder.newSecretsFolder(folder));
  }

  async #reloadAll(askedAt: number): Promise<ReloadOutcome> {
    const apps: ReloadedApp[] = [];
    for (const serving of this.#serving) {
      const outcome = await this.#reloadOne(serving);
      const tookMs = outcome.outcome === "reloaded" ? { tookMs: performance.now() - askedAt } : {};
      const told = { ...outcome, ...tookMs, name: serving.revision.loaded.app.name, folder: serving.folder };
      apps.push(told);
      this.#settings.onReload?.(told);
    }
    if (this.#stopping === undefined && apps.some(({ outcome }) => outcome === "reloaded")) this.#folder.describe(this);
    return { apps };
  }

  async #reloadOne(serving: Serving): Promise<Pick<ReloadedApp, "outcome" | "problems">> {
    const others = this.#serving.flatMap((other) => (other === serving ? [] : [other.revision]));
    const beside = others.map(({ loaded: { app } }) => app);
    const loaded = await this.#load(serving.folder, beside);
    if (loaded === undefined) return { outcome: "kept-old", problems: [] };
    // Watched until a version is taken, so that one whose daemon does not come up is tried again when it is mended.
    serving.untaken = loaded.ok ? filesOf(loaded) : loaded.inputs;
    if (!loaded.ok) return { outcome: "kept-old", problems: loaded.problems };
    const print = await fingerprint(loaded, this.#settings.secretsFolder);
    if (print === serving.fingerprint) return { outcome: "unchanged", problems: loaded.warnings };
    if (this.#draining !== undefined || this.#stopping !== undefined) return { outcome: "kept-old", problems: [] };
    const old = serving.revision;
    let fresh: Revision | undefined;
    let starting: Starting | undefined;
    try {
      await this.#sandboxes.prepare([loaded.app]);
      fresh = this.#makeRevision(loaded, old);
      starting = this.#starting = { revision: fresh, fingerprint: print, overtaken: false };
      this.#watchWhileServing();
      const all = [...others, fresh];
      const router = new Router(all.flatMap((revision) => revision.routes));
      await this.#listeners.open(all);
      // Last of what may fail: with it the configured reply socket is the new version's.
      await startInstances(fresh);
      if (this.#stopping !== undefined) throw new Error("The host is stopping");
      if (starting.overtaken) throw new Error("A newer version is there");
      this.#listeners.serve(all);
      serving.revision = fresh;
      serving.fingerprint = print;
      serving.untaken = [];
      fresh.applyLimits();
      this.#route(router);
    } catch (error) {
      this.#listeners.giveUp();
      await fresh?.kill("its revision could not start");
      // It failed by being ended, which is no error of the app's.
      if (this.#stopping !== undefined || starting?.overtaken === true) return { outcome: "kept-old", problems: [] };
      return { outcome: "kept-old", problems: [...loaded.warnings, revisionProblem(error, loaded.app.file)] };
    } finally {
      this.#starting = undefined;
    }
    this.#retiring.set(old, this.#retire(old));
    this.#typeChecks?.check(loaded);
    this.#startSpares();
    return { outcome: "reloaded", problems: loaded.warnings };
  }

  /** Ends the start of a version that is out of date: what mends a daemon that does not come up would wait for its whole `start`. */
  async #overtake(): Promise<void> {
    const starting = this.#starting;
    if (starting === undefined) return;
    const { folder } = starting.revision.loaded.app;
    const others = this.#serving.flatMap(({ folder: other, revision }) => (other === folder ? [] : [revision.loaded.app]));
    try {
      const loaded = await this.#load(folder, others);
      // A file that was written and says the same is no newer version, or a daemon that writes one at its start would never come up.
      if (loaded?.ok !== true || (await fingerprint(loaded, this.#settings.secretsFolder)) === starting.fingerprint) return;
    } catch {
      // The reload that follows meets the same, and tells it.
      return;
    }
    if (this.#starting !== starting) return;
    starting.overtaken = true;
    await starting.revision.kill("a newer version is there");
  }

  /** Undefined: the host was stopped meanwhile. */
  async #load(folder: string, others: readonly App[]): Promise<LoadedApp | undefined> {
    const { signal } = this.#beside;
    try {
      return await loadForHost(folder, this.#settings, { buildInto: this.#folder.builds, others, signal });
    } catch (error) {
      if (signal.aborted) return undefined;
      throw error;
    }
  }

  async #retire(revision: Revision): Promise<void> {
    await revision.retire();
    this.#retiring.delete(revision);
    this.#removeBuilds();
  }

  #route(router: Router<ServedOperation>): void {
    this.#gateway.route(router);
    if (this.#settings.docs) this.#docs = docsPages(this.#serving.map(({ revision }) => revision.loaded));
  }

  #watchWhileServing(): void {
    if (this.#settings.watch && this.#draining === undefined && this.#stopping === undefined) this.#watchFiles();
  }

  #watchFiles(): void {
    this.#watch.set(this.#serving.flatMap(({ revision: { loaded }, untaken }) => [...filesOf(loaded), ...untaken]));
  }
}

async function startInstances(revision: Revision): Promise<void> {
  try {
    await revision.pool.start();
  } catch (error) {
    const code = error instanceof InstanceFailure ? error.code : undefined;
    const { app } = revision.loaded;
    // What makes most daemons that run elsewhere fail in a container.
    const [unreadable] = await unreadableIn(app);
    throw new InstanceFailure(`App "${app.name}" cannot start: its instance ${messageOf(error)}`, code, unreadable);
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

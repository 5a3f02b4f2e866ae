/**
 * `services`: three instances of a daemon behind urocket, and behind proxies before the very same three. Requests/s at 64 connections,
 * latency at one, each request logged, daemons in containers on the bridge, and memory while many connections or streams are open.
 */
import { atLeast, atMost, budgets, notMeasured, type Verdict } from "./budgets.ts";
import { compare, summarize, type Comparison, type Line, type Progress } from "./measure/comparison.ts";
import { measureIdleConnections, type Held, type IdleConnections } from "./measure/idle-connections.ts";
import { proxiedSystem, type Proxied } from "./measure/proxied.ts";
import type { Server, ServerSystem } from "./measure/server.ts";
import { directName, openStand, serviceProxies, serviceQuestion, type Stand, type StandOptions } from "./peers/daemons.ts";
import type { Ground } from "./process/ground.ts";
import { hostProcesses } from "./process/host-processes.ts";
import { formatNumber } from "./table.ts";

/** Each by the name that --only knows it by. */
export const serviceParts = ["hello", "apart", "latency", "logged", "containers", "idle", "streams"] as const;
export type ServicePart = (typeof serviceParts)[number];

export interface ServicesOptions {
  readonly parts: readonly ServicePart[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Names of the proxies to run against. */
  readonly against: readonly string[];
  /** Why there can be no containers here; undefined: there can. */
  readonly containersLack: string | undefined;
}

export interface ServicesReport {
  readonly comparisons: readonly Comparison[];
  readonly idle?: readonly IdleConnections[];
  readonly streams?: readonly IdleConnections[];
  readonly verdicts: readonly Verdict[];
}

const connections = 64;
/** Load until the subject's code is compiled; the proxies were so before. */
const compilersSeconds = 2;
const idleConnections = 10_000;
/** Each is two connections of the proxy's. */
const openStreams = 5_000;
/** The event that comes at once. */
const stream: Held = { path: "/events", answer: "data: hello\n\n" };

const inProcesses = "hello";
const apart = "hello, each before daemons of its own";
const inContainers = "hello, daemons in containers";
const eachLogged = "hello, each logged";

export async function runServices(ground: Ground, options: ServicesOptions, progress: Progress): Promise<ServicesReport> {
  const bench = new ServicesBench(ground, options, progress);
  await bench.measureProcesses();
  await bench.measureApart();
  await bench.measureLogged();
  await bench.measureContainers();
  return bench.report();
}

/** What stands before one stand's daemons. */
interface Systems {
  readonly subject: ServerSystem;
  readonly proxies: readonly ServerSystem[];
  /** Those that every comparison has. */
  readonly main: readonly ServerSystem[];
  readonly direct: ServerSystem;
}

class ServicesBench {
  readonly #ground: Ground;
  readonly #options: ServicesOptions;
  readonly #progress: Progress;
  readonly #comparisons: Comparison[] = [];
  readonly #verdicts: Verdict[] = [];
  #idle: readonly IdleConnections[] | undefined;
  #streams: readonly IdleConnections[] | undefined;

  constructor(ground: Ground, options: ServicesOptions, progress: Progress) {
    this.#ground = ground;
    this.#options = options;
    this.#progress = progress;
  }

  report(): ServicesReport {
    return {
      comparisons: this.#comparisons,
      ...(this.#idle === undefined ? {} : { idle: this.#idle }),
      ...(this.#streams === undefined ? {} : { streams: this.#streams }),
      verdicts: [...this.#comparisons.flatMap(judgeServices), ...judgeIdle(this.#idle), ...this.#verdicts],
    };
  }

  async measureProcesses(): Promise<void> {
    if (!this.#has("hello", "latency", "idle", "streams")) return;
    await this.#withStand("services", { sandbox: "process", logs: false }, async ({ subject, proxies, main, direct }) => {
      if (this.#has("hello")) await this.#compare(inProcesses, connections, subject, [...proxies, direct]);
      if (this.#has("latency")) await this.#compare(inProcesses, 1, subject, [...main, direct]);
      if (this.#has("idle")) this.#idle = await this.#hold([subject, ...main], idleConnections);
      if (this.#has("streams")) this.#streams = await this.#hold([subject, ...main], openStreams, stream);
    });
  }

  async measureApart(): Promise<void> {
    if (!this.#has("apart")) return;
    await this.#withStand("services-apart", { sandbox: "process", logs: false, apart: true }, ({ subject, main }) =>
      this.#compare(apart, connections, subject, main),
    );
  }

  async measureLogged(): Promise<void> {
    if (!this.#has("logged")) return;
    await this.#withStand("services-log", { sandbox: "process", logs: true }, ({ subject, proxies }) =>
      this.#compare(eachLogged, connections, subject, proxies),
    );
  }

  async measureContainers(): Promise<void> {
    if (!this.#has("containers")) return;
    const { containersLack } = this.#options;
    if (containersLack !== undefined) {
      this.#verdicts.push(notMeasured(`requests/s, ${inContainers}`, `≥ ${budgets.proxiedToNginx}`, containersLack));
      return;
    }
    await this.#withStand("services-containers", { sandbox: "container", logs: false }, async ({ subject, main, direct }) => {
      await this.#compare(inContainers, connections, subject, main);
      await this.#compare(inContainers, 1, subject, [...main, direct]);
    });
  }

  #has(...parts: readonly ServicePart[]): boolean {
    return parts.some((part) => this.#options.parts.includes(part));
  }

  async #compare(program: string, count: number, subject: ServerSystem, others: readonly ServerSystem[]): Promise<void> {
    const { rounds, seconds, warmUpSeconds } = this.#options;
    const load = { program, connections: count, seconds, warmUpSeconds };
    await subject.measure({ ...load, seconds: compilersSeconds, warmUpSeconds: 0 });
    const opponents = others.map((system) => ({ system }));
    this.#comparisons.push(await compare(subject, opponents, load, rounds, this.#progress));
  }

  /** Each alone, while the others have no connections. */
  async #hold(systems: readonly ServerSystem[], count: number, held?: Held): Promise<readonly IdleConnections[]> {
    const all: IdleConnections[] = [];
    for (const system of systems) {
      this.#progress(`${count} ${held === undefined ? "idle connections" : "open streams"} at ${system.name}`);
      all.push(await measureIdleConnections(system, count, serviceQuestion, held));
    }
    return all;
  }

  async #withStand(name: string, options: StandOptions, use: (systems: Systems) => Promise<void>): Promise<void> {
    const stand = await openStand(this.#ground, name, options);
    const started: Server[] = [];
    await use(this.#before(stand, name, options, started));
    // The proxies first: they would miss the daemons.
    await this.#ground.end(started.flatMap(({ processes }) => processes));
    await this.#ground.end([...stand.host.processes, ...stand.processes]);
  }

  #before(stand: Stand, name: string, { logs }: StandOptions, started: Server[]): Systems {
    const { host } = stand;
    const pid = host.processes[0]?.pid ?? 0;
    const system = (proxied: Omit<Proxied, "daemons">, { pids } = stand.proxied): ServerSystem =>
      proxiedSystem(this.#ground, { ...proxied, daemons: pids }, serviceQuestion);
    const proxies = serviceProxies
      .filter((proxy) => proxy.logs === logs && this.#options.against.includes(proxy.name))
      .map((proxy) => {
        const start = (): Server => {
          const server = proxy.start(this.#ground, stand, name);
          started.push(server);
          return server;
        };
        return { isMain: proxy.isMain, system: system({ name: proxy.name, kind: "peer", start }) };
      });
    return {
      subject: system(
        { name: logs ? "urocket+log" : "urocket", kind: "subject", start: () => host, processes: () => hostProcesses(pid) },
        stand.daemons,
      ),
      proxies: proxies.map((each) => each.system),
      main: proxies.filter(({ isMain }) => isMain).map((each) => each.system),
      direct: system({ name: directName, kind: "limit", start: () => serverAt(stand.proxied.origins[0]) }),
    };
  }
}

/** Nobody's process: who runs it is accounted for elsewhere. */
function serverAt(origin = ""): Server {
  const [address = "", port] = origin.split(":");
  return { address, port: Number(port), processes: [] };
}

/** The verdicts on one comparison with proxies before the same daemons. */
export function judgeServices(comparison: Comparison): readonly Verdict[] {
  const { subject, others } = summarize(comparison);
  const where = `${comparison.program} ×${comparison.connections}`;
  if (subject.disqualified !== undefined)
    return [notMeasured(`requests/s, ${where}`, "no errors", `disqualified: ${subject.disqualified}`)];
  // No budget: what a line for each request costs, ours and theirs.
  if (comparison.program === eachLogged) return [];
  if (comparison.connections === 1) return [latencyVerdict(where, subject, others)];
  return [speedVerdict(where, "nginx", budgets.proxiedToNginx, others), speedVerdict(where, "haproxy", budgets.proxiedToHaproxy, others)];
}

function speedVerdict(where: string, name: string, budget: number, others: readonly Line[]): Verdict {
  const measure = `requests/s, ${where}, to ${name}'s`;
  const line = others.find((each) => each.name === name);
  if (line?.ratio === undefined) return notMeasured(measure, `≥ ${budget}`, line?.disqualified ?? `${name} was not run`);
  return atLeast(measure, budget, line.ratio.median);
}

/** What is added to a daemon's own time is no more than what nginx adds: their p50s are compared, and the difference is told. */
function latencyVerdict(where: string, subject: Line, others: readonly Line[]): Verdict {
  const measure = `p50, ${where}, to nginx's`;
  const [nginx, direct] = ["nginx", directName].map((name) => others.find((line) => line.name === name));
  if (nginx?.p50Ratio === undefined) return notMeasured(measure, `≤ ${budgets.latencyToNginx}`, nginx?.disqualified ?? "nginx was not run");
  const added =
    direct === undefined ? "" : `adds ${formatNumber(subject.p50Us - direct.p50Us)} µs, nginx ${formatNumber(nginx.p50Us - direct.p50Us)}`;
  return atMost(measure, budgets.latencyToNginx, nginx.p50Ratio.median, added);
}

function judgeIdle(all: readonly IdleConnections[] | undefined): readonly Verdict[] {
  const subject = all?.[0];
  if (subject === undefined) return [];
  const measure = `memory of the host with ${idleConnections} idle connections`;
  if (subject.faults.length > 0) return [notMeasured(measure, `≤ ${budgets.idleConnectionsMegabytes} MB`, subject.faults.join("; "))];
  return [atMost(measure, budgets.idleConnectionsMegabytes, subject.during.rssBytes / 1e6, "resident", " MB")];
}

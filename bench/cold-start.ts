/**
 * `cold-start`: from scaled to zero to the first answered byte, by a waiting spare, without one, and from a frozen instance, in
 * processes and in containers; beside it what starting a process or a container for the answer takes at the least. Then what
 * idle instances and an idle host take of memory.
 */
import { join } from "node:path";
import { atMost, budgets, notMeasured, type Verdict } from "./budgets.ts";
import { benchFolder } from "./measure/build-folder.ts";
import type { Progress } from "./measure/comparison.ts";
import { askOnce, startOnce, type FirstByte } from "./measure/first-byte.ts";
import { untilAnswered, type Question, type Server } from "./measure/server.ts";
import { environmentFor, runtimes, type Runtime } from "./peers/containers.ts";
import { prepareRawContainers } from "./peers/raw-containers.ts";
import { greeting, prepareStarts, smallScript } from "./peers/starts.ts";
import { startUrocket } from "./peers/urocket.ts";
import type { Ground } from "./process/ground.ts";
import { hostProcesses, instancesOf } from "./process/host-processes.ts";
import { memoryOf, processTree, type ProcessStat } from "./process/proc-stat.ts";
import { median, percentile } from "./statistics.ts";
import { formatNumber } from "./table.ts";

/** Each by the name that --only knows it by. */
export const coldParts = ["starts", "memory"] as const;
export type ColdPart = (typeof coldParts)[number];

export interface ColdStartOptions {
  readonly parts: readonly ColdPart[];
  /** Starts of each kind. */
  readonly runs: number;
  /** Why there can be no containers here; undefined: there can. */
  readonly containersLack: string | undefined;
  readonly progress: Progress;
}

export interface StartSeries {
  readonly name: string;
  /** In the order of the runs. */
  readonly us: readonly number[];
  readonly faults: readonly string[];
}

export interface MemoryLine {
  readonly name: string;
  readonly processes: number;
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly fault?: string;
}

export interface ColdStartReport {
  readonly starts: readonly StartSeries[];
  readonly memory: readonly MemoryLine[];
  readonly verdicts: readonly Verdict[];
}

const question: Question = { path: "/hello", body: greeting };

/** One kind of start; it is run once in every round. */
interface Series {
  readonly name: string;
  readonly once: () => Promise<FirstByte>;
}

const spareSmall = "with a spare";
const bareSmall = "without a spare";
const frozen = "from frozen";
const containerSpare = "container, with a spare";
const containerBare = (runtime: Runtime): string => `container, without a spare, by ${runtime}`;
const containerFrozen = "container, from frozen";

export async function runColdStart(ground: Ground, options: ColdStartOptions): Promise<ColdStartReport> {
  const starts = options.parts.includes("starts") ? await measureStarts(ground, options) : [];
  const memory = options.parts.includes("memory") ? await measureMemory(ground, options.progress) : [];
  const verdicts = [...(starts.length > 0 ? judgeStarts(starts, options.containersLack) : []), ...memory.map(judgeMemory)];
  return { starts, memory, verdicts };
}

async function measureStarts(ground: Ground, { runs, containersLack, progress }: ColdStartOptions): Promise<readonly StartSeries[]> {
  const references = await prepareStarts(ground);
  const containers = containersLack === undefined ? await containerSeries(ground) : [];
  const rawContainers = containersLack === undefined ? prepareRawContainers(ground, smallScript(ground)) : [];
  const series: readonly Series[] = [
    { name: spareSmall, once: await coldHost(ground, "cold", 1) },
    { name: bareSmall, once: await coldHost(ground, "cold", 0) },
    { name: `${spareSmall}, a schema library`, once: await coldHost(ground, "cold-schema", 1) },
    { name: `${bareSmall}, a schema library`, once: await coldHost(ground, "cold-schema", 0) },
    { name: frozen, once: await frozenHost(ground) },
    ...containers,
    ...[...references, ...rawContainers].map((start) => ({ name: start.name, once: () => startOnce(ground, start) })),
  ];
  const results = series.map(({ name }) => ({ name, us: [] as number[], faults: [] as string[] }));
  for (let run = 0; run < runs; run++) {
    for (const [at, each] of series.entries()) {
      const { us, fault } = await each.once();
      if (fault === undefined) results[at]?.us.push(us);
      else results[at]?.faults.push(fault);
    }
    if ((run + 1) % 10 === 0) progress(`cold starts: ${run + 1} of ${runs} rounds`);
  }
  return results;
}

/** A host whose app is at zero before each question. */
async function coldHost(ground: Ground, app: string, spares: number): Promise<Series["once"]> {
  const server = startApp(ground, app, spares);
  await untilAnswered(`${app} with ${spares} spares`, server, question);
  return () => askOnce(ground, server.port, question, () => untilAtRest(server, 1 + spares));
}

async function frozenHost(ground: Ground): Promise<Series["once"]> {
  const server = startApp(ground, "frozen", 0);
  return async () => {
    await untilAnswered("the app to be frozen", server, question);
    return askOnce(ground, server.port, question, () => untilFrozen(server));
  };
}

function startApp(ground: Ground, app: string, spares: number): Server {
  const env = { UROCKET_SPARES: String(spares) };
  return startUrocket(ground, `${app}-${spares}`, join(benchFolder, "apps", app), { env });
}

/** Each by a host, and a bridge, of its own. */
async function containerSeries(ground: Ground): Promise<readonly Series[]> {
  const cold = async (runtime: Runtime, spares: number): Promise<Series["once"]> => {
    const server = startContained(ground, "cold", runtime, spares);
    await untilAnswered(`cold in a container by ${runtime}`, server, question);
    return () => askOnce(ground, server.port, question, () => untilContainers(server, spares));
  };
  const server = startContained(ground, "frozen", "crun", 0);
  const fromFrozen = async (): Promise<FirstByte> => {
    await untilAnswered("the container to be frozen", server, question);
    return askOnce(ground, server.port, question, () => untilFrozen(server));
  };
  return [
    { name: containerSpare, once: await cold("crun", 1) },
    ...(await Promise.all(runtimes.map(async (runtime) => ({ name: containerBare(runtime), once: await cold(runtime, 0) })))),
    { name: containerFrozen, once: fromFrozen },
  ];
}

function startContained(ground: Ground, app: string, runtime: Runtime, spares: number): Server {
  const env = { ...environmentFor(ground, runtime), UROCKET_SPARES: String(spares), UROCKET_SANDBOX: "container" };
  return startUrocket(ground, `${app}-${runtime}-${spares}`, join(benchFolder, "apps", app), { env });
}

const lookEveryMs = 10;
/** Longer than between the taking of a spare and the start of the next. */
const unchangedMs = 150;
const patienceMs = 10_000;

/** Until the server has just so many processes and none came or went for a while. Resolves to what is wrong. */
async function untilAtRest(server: Server, processes: number): Promise<string | undefined> {
  return until(server, unchanged(processes, "processes"));
}

/** Until just so many containers are left, which have not changed for a while. */
async function untilContainers(server: Server, containers: number): Promise<string | undefined> {
  const isWhole = unchanged(containers, "containers");
  return until(server, (_, host) => isWhole([...instancesOf(host).keys()].map((name) => ({ pid: name }))));
}

/** Whether there are so many of something, the same for long enough. */
function unchanged(count: number, what: string): (all: readonly { readonly pid: number | string }[]) => string | undefined {
  let last = "";
  let since = performance.now();
  return (all) => {
    const now = all.map(({ pid }) => pid).join(" ");
    if (now !== last) since = performance.now();
    last = now;
    if (all.length === count && performance.now() - since >= unchangedMs) return undefined;
    return `it did not come to rest: ${all.length} ${what} instead of ${count}`;
  };
}

function untilFrozen(server: Server): Promise<string | undefined> {
  return until(server, (tree) => (tree.some(({ state }) => state === "T") ? undefined : "no instance was frozen"));
}

async function until(
  server: Server,
  missing: (tree: readonly ProcessStat[], host: number) => string | undefined,
): Promise<string | undefined> {
  const [host] = server.processes;
  if (host === undefined) return "it was not started";
  const givenUpAt = performance.now() + patienceMs;
  for (;;) {
    const all = hostProcesses(host.pid);
    if (!all.some(({ pid }) => pid === host.pid)) return `it ended with ${await host.exited}: ${host.complaint().replaceAll(/\s+/g, " ")}`;
    const fault = missing(all, host.pid);
    if (fault === undefined || performance.now() > givenUpAt) return fault;
    await Bun.sleep(lookEveryMs);
  }
}

const fifty = 50;

async function measureMemory(ground: Ground, progress: Progress): Promise<readonly MemoryLine[]> {
  progress(`memory of ${fifty} idle instances, and of an idle host`);
  return [await idleInstance(ground), await idleHost(ground)];
}

const instanceMemory = `an idle function instance, one of ${fifty}`;
const hostMemory = "an idle host with a spare";

async function idleInstance(ground: Ground): Promise<MemoryLine> {
  const server = startApp(ground, "fifty", 0);
  await untilAnswered("fifty instances", server, question);
  const fault = await untilAtRest(server, 1 + fifty);
  // Each has served some: by turns.
  for (let asked = 0; asked < 10 * fifty; asked++) await (await fetch(`http://127.0.0.1:${server.port}${question.path}`)).arrayBuffer();
  const host = server.processes.map(({ pid }) => pid);
  const instances = processTree(host).flatMap(({ pid }) => (host.includes(pid) ? [] : [pid]));
  const line = await readIdle(instanceMemory, () => instances, Math.max(1, instances.length));
  await ground.end(server.processes);
  return { ...line, ...(fault === undefined ? {} : { fault }) };
}

/** After it has scaled up and down again. */
async function idleHost(ground: Ground): Promise<MemoryLine> {
  const server = startUrocket(ground, "idle-host", join(benchFolder, "apps/cold"), { env: { UROCKET_SPARES: "1" } });
  await untilAnswered("an idle host", server, question);
  for (let asked = 0; asked < 1_000; asked++) await (await fetch(`http://127.0.0.1:${server.port}${question.path}`)).arrayBuffer();
  const fault = await untilAtRest(server, 2);
  const line = await readIdle(hostMemory, () => processTree(server.processes.map(({ pid }) => pid)).map(({ pid }) => pid), 1);
  await ground.end(server.processes);
  return { ...line, ...(fault === undefined ? {} : { fault }) };
}

/** The median of ten looks over a second. @param share what is divided by. */
async function readIdle(name: string, pids: () => readonly number[], share: number): Promise<MemoryLine> {
  const looks: ReturnType<typeof memoryOf>[] = [];
  for (let look = 0; look < 10; look++) {
    await Bun.sleep(100);
    looks.push(memoryOf(pids()));
  }
  const of = (figure: (look: ReturnType<typeof memoryOf>) => number): number => median(looks.map(figure)) / share;
  return { name, processes: pids().length, rssBytes: of((look) => look.rssBytes), pssBytes: of((look) => look.pssBytes) };
}

function judgeStarts(starts: readonly StartSeries[], containersLack = "it was not run"): readonly Verdict[] {
  const p50 = (name: string, limit: number): Verdict =>
    judgeSeries(starts, name, `p50, ${name}, ms`, limit, (us) => percentile(us, 0.5), containersLack);
  const p99 = (name: string, limit: number): Verdict => judgeSeries(starts, name, `p99, ${name}, ms`, limit, (us) => percentile(us, 0.99));
  const library = (name: string): string => `${name}, a schema library`;
  return [
    p50(spareSmall, budgets.coldSpareP50Ms),
    p99(spareSmall, budgets.coldSpareP99Ms),
    p50(library(spareSmall), budgets.coldSpareP50Ms),
    p99(library(spareSmall), budgets.coldSpareP99Ms),
    p50(bareSmall, budgets.coldP50Ms),
    p50(library(bareSmall), budgets.coldP50Ms),
    p50(frozen, budgets.frozenP50Ms),
    p50(containerSpare, budgets.containerSpareP50Ms),
    p50(containerBare("crun"), budgets.containerByCrunP50Ms),
    p50(containerBare("runc"), budgets.containerByRuncP50Ms),
    p50(containerFrozen, budgets.frozenP50Ms),
  ];
}

function judgeSeries(
  starts: readonly StartSeries[],
  name: string,
  measure: string,
  limitMs: number,
  figure: (us: readonly number[]) => number,
  lack = "it was not run",
): Verdict {
  const series = starts.find((each) => each.name === name);
  const fault = series?.faults[0];
  if (series === undefined || fault !== undefined || series.us.length === 0) return notMeasured(measure, `≤ ${limitMs}`, fault ?? lack);
  return atMost(measure, limitMs, figure(series.us) / 1_000);
}

function judgeMemory({ name, pssBytes, rssBytes, fault }: MemoryLine): Verdict {
  const limit = name === instanceMemory ? budgets.idleInstanceMegabytes : budgets.idleHostMegabytes;
  const measure = `proportional memory of ${name}`;
  if (fault !== undefined) return notMeasured(measure, `≤ ${limit} MB`, fault);
  return atMost(measure, limit, pssBytes / 1e6, `${formatNumber(rssBytes / 1e6)} resident`, " MB");
}

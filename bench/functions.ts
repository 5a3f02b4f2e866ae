/**
 * `functions`: warm functions against proxies before the same functions on Bun.serve. A greeting by a JSON handler and by a Fetch
 * handler at 64 connections, the greeting at one connection, a JSON body that is validated in and out, and the gateway's
 * memory while 10 000 connections are open and idle.
 */
import { againstBestPeer, atMost, budgets, leastOf, notMeasured, type Verdict } from "./budgets.ts";
import { compare, summarize, type Comparison, type Line, type Progress } from "./measure/comparison.ts";
import { measureIdleConnections, type IdleConnections } from "./measure/idle-connections.ts";
import { serverSystem, type Question, type ServerKind, type ServerSystem } from "./measure/server.ts";
import { proxies, type ProxyKind } from "./peers/proxies.ts";
import type { Ground } from "./process/ground.ts";
import { formatNumber } from "./table.ts";

/** Each by the name that --only knows it by. */
export const functionParts = ["hello", "latency", "fetch", "orders", "idle"] as const;
export type FunctionPart = (typeof functionParts)[number];

export interface FunctionsOptions {
  readonly parts: readonly FunctionPart[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly subject: ServerKind;
  /** The subject as it is with a line of its log for each request. */
  readonly logged: ServerKind;
  /** Names of the proxies to run against. */
  readonly against: readonly string[];
}

export interface FunctionsReport {
  readonly comparisons: readonly Comparison[];
  readonly idle?: readonly IdleConnections[];
  readonly verdicts: readonly Verdict[];
}

const greeting = JSON.stringify({ message: "hello" });
const order = {
  customer: { name: "Ada Example", email: "ada@example.org" },
  items: [
    { sku: "AB-1234", quantity: 2, cents: 1999 },
    { sku: "CD-5678", quantity: 1, cents: 12_900, gift: true },
    { sku: "EF-9012", quantity: 12, cents: 45 },
  ],
  note: "Please ring twice.",
};
const totalCents = 2 * 1999 + 12_900 + 12 * 45;

/** By the names of the comparisons. */
const questions: Readonly<Record<string, Question>> = {
  hello: { path: "/hello", body: greeting },
  "hello, each logged": { path: "/hello", body: greeting },
  "hello, Fetch handler": { path: "/fetch", body: greeting },
  "JSON POST": { path: "/orders", send: JSON.stringify(order), body: JSON.stringify({ id: 1, totalCents, ...order }) },
};

export function functionQuestion(program: string): Question {
  const question = questions[program];
  if (question === undefined) throw new Error(`Unknown question "${program}"`);
  return question;
}

const connections = 64;
const idleConnections = 10_000;

export async function runFunctions(ground: Ground, options: FunctionsOptions, progress: Progress): Promise<FunctionsReport> {
  const subject = serverSystem(ground, options.subject, functionQuestion);
  const all = new Map(
    proxies.filter(({ name }) => options.against.includes(name)).map((kind) => [kind, serverSystem(ground, kind, functionQuestion)]),
  );
  const systems = (kinds: readonly ProxyKind[]): readonly ServerSystem[] => kinds.flatMap((kind) => all.get(kind) ?? []);
  const run = (program: string, count: number, kinds: readonly ProxyKind[], measured = subject): Promise<Comparison> => {
    const { rounds, seconds, warmUpSeconds } = options;
    const opponents = systems(kinds).map((system) => ({ system }));
    return compare(measured, opponents, { program, connections: count, seconds, warmUpSeconds }, rounds, progress);
  };
  const has = (part: FunctionPart): boolean => options.parts.includes(part);
  await subject.measure({ program: "hello", connections, seconds: 1, warmUpSeconds: 0 });
  const [withLog, plain] = [true, false].map((logs) => [...all.keys()].filter(({ family }) => family.endsWith("+log") === logs));
  const hello = has("hello") ? [await run("hello", connections, plain ?? [])] : [];
  const logged = serverSystem(ground, options.logged, functionQuestion);
  // Whom the others are against: of each family the one that did best.
  const chosen = bestOfFamilies([...all.keys()], hello[0]);
  const rivals = chosen.filter(({ family }) => family === "nginx" || family === "haproxy");
  const comparisons = [
    ...hello,
    ...(has("hello") && withLog?.length ? [await run("hello, each logged", connections, withLog, logged)] : []),
    ...(has("fetch") ? [await run("hello, Fetch handler", connections, rivals)] : []),
    ...(has("latency") ? [await run("hello", 1, [...rivals, ...chosen.filter(({ family }) => family === "direct")])] : []),
    ...(has("orders") ? [await run("JSON POST", connections, rivals)] : []),
  ];
  const idle = has("idle") ? await measureIdle([subject, ...systems(rivals)], progress) : undefined;
  const verdicts = [...comparisons.flatMap(judgeFunctions), ...(idle === undefined ? [] : judgeIdle(idle))];
  return { comparisons, verdicts, ...(idle === undefined ? {} : { idle }) };
}

/** Of each family the variant with the most requests/s; all of them where that was not measured. */
export function bestOfFamilies(kinds: readonly ProxyKind[], measured: Comparison | undefined): readonly ProxyKind[] {
  if (measured === undefined) return kinds;
  const { others } = summarize(measured);
  const speedOf = (kind: ProxyKind): number => {
    const line = others.find(({ name }) => name === kind.name);
    return line === undefined || line.disqualified !== undefined ? 0 : line.perSecond.median;
  };
  return kinds.filter((kind) => kinds.every((other) => other.family !== kind.family || other === kind || speedOf(other) < speedOf(kind)));
}

/** Each alone, while the others have no connections: the first is the subject. */
async function measureIdle(systems: readonly ServerSystem[], progress: Progress): Promise<readonly IdleConnections[]> {
  const all: IdleConnections[] = [];
  for (const system of systems) {
    progress(`${idleConnections} idle connections to ${system.name}`);
    all.push(await measureIdleConnections(system, idleConnections, functionQuestion("hello")));
  }
  return all;
}

/** The verdicts on one comparison with proxies. */
export function judgeFunctions(comparison: Comparison): readonly Verdict[] {
  const { subject, others } = summarize(comparison);
  const where = `${comparison.program} ×${comparison.connections}`;
  if (subject.disqualified !== undefined)
    return [notMeasured(`requests/s, ${where}`, "no errors", `disqualified: ${subject.disqualified}`)];
  // No budget: what a line for each request costs, ours and theirs.
  if (comparison.program === "hello, each logged") return [];
  if (comparison.connections === 1) return [latencyVerdict(where, others)];
  if (comparison.program === "JSON POST") return [againstBestPeer(`requests/s, ${where}`, budgets.validatedToBestProxy, others)];
  return [againstBestPeer(`requests/s, ${where}`, budgets.helloToBestProxy, others), cpuVerdict(where, others)];
}

function latencyVerdict(where: string, others: readonly Line[]): Verdict {
  const measure = `p50, ${where}, to nginx's`;
  const worst = leastOf(others, ({ name, p50Ratio }) => (name.startsWith("nginx ×") && p50Ratio ? -p50Ratio.median : undefined));
  if (worst === undefined) return notMeasured(measure, `≤ ${budgets.latencyToNginx}`, "nginx was not measured");
  return atMost(measure, budgets.latencyToNginx, -worst.value, `of ${worst.line.name}`);
}

function cpuVerdict(where: string, others: readonly Line[]): Verdict {
  const measure = `CPU a request, ${where}`;
  const worst = leastOf(others, ({ kind, cpuRatio }) => (kind === "peer" && cpuRatio ? -cpuRatio.median : undefined));
  if (worst === undefined) return notMeasured(measure, `≤ ${budgets.helloCpuToBestProxy}`, "no peer qualified");
  return atMost(measure, budgets.helloCpuToBestProxy, -worst.value, `of ${worst.line.name}`);
}

function judgeIdle(all: readonly IdleConnections[]): readonly Verdict[] {
  const measure = `memory of the gateway with ${idleConnections} idle connections`;
  const subject = all[0];
  if (subject === undefined) return [];
  if (subject.faults.length > 0) return [notMeasured(measure, `≤ ${budgets.idleConnectionsMegabytes} MB`, subject.faults.join("; "))];
  const { rssBytes, pssBytes } = subject.during;
  return [
    atMost(measure, budgets.idleConnectionsMegabytes, rssBytes / 1e6, `resident; ${formatNumber(pssBytes / 1e6)} proportional`, " MB"),
  ];
}

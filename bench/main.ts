/** The bench: `npm run bench -- COMMAND`. Runs one measure, prints its tables, keeps its raw figures. */
import { join } from "node:path";
import type { Verdict } from "./budgets.ts";
import { benchFolder, requireSetUp } from "./measure/build-folder.ts";
import type { ServerKind } from "./measure/server.ts";
import { coldParts, runColdStart } from "./cold-start.ts";
import { functionParts, runFunctions } from "./functions.ts";
import { readOptions, usage, type BenchOptions } from "./options.ts";
import { fibber, lineServers } from "./peers/line-servers.ts";
import { peerCommands, peers, replySocketInBun } from "./peers/peers.ts";
import { misdeeds, runNeighbours } from "./neighbours.ts";
import { findContainersLack } from "./peers/containers.ts";
import { serviceProxies } from "./peers/daemons.ts";
import { commandOf, proxies } from "./peers/proxies.ts";
import { functionsApp, loggedFunctionsApp, urocket } from "./peers/urocket.ts";
import { Ground } from "./process/ground.ts";
import { findNetworkLack, isInOwnNetwork, runInOwnNetwork } from "./process/own-network.ts";
import {
  comparisonTable,
  describeMachine,
  idleMemoryTable,
  idleTable,
  keep,
  lagTable,
  neighboursTable,
  ranNow,
  startsTable,
  verdictTable,
  type RanAt,
} from "./report.ts";
import { runServices, serviceParts } from "./services.ts";
import { defaultMemoryOptions, mebibytes, runStageMemory } from "./stage-memory.ts";
import { defaultOverloadOptions, overloadConcurrency, overloadRows, runStageOverload } from "./stage-overload.ts";
import { runStage, type StageReport } from "./stage.ts";
import { programs } from "./system.ts";
import { formatNumber, formatTable } from "./table.ts";
import { lineParts, runTcp } from "./tcp.ts";

const progress = (line: string): void => void process.stderr.write(`${line}\n`);

interface Outcome {
  readonly text: string;
  readonly raw: { readonly verdicts: readonly Verdict[] };
  /** What makes the whole run worthless. */
  readonly faults: readonly string[];
}

async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 0 || argv.includes("--help") || argv.includes("-h")) {
    console.log(usage);
    return argv.length === 0 ? 2 : 0;
  }
  const read = readOptions(argv);
  if (!read.ok) {
    for (const problem of read.problems) console.error(`bench: ${problem}`);
    console.error("Run 'npm run bench -- --help' for what there is.");
    return 2;
  }
  const { command } = read.options;
  if (command === "setup") return setUp();
  const withContainers = containerCommands.includes(command) && findNetworkLack() === undefined;
  return withContainers && !isInOwnNetwork() ? runInOwnNetwork() : measure(read.options);
}

/** Those that make bridges and firewall rules, where they may. */
const containerCommands: readonly string[] = ["services", "cold-start", "neighbours"];

async function setUp(): Promise<number> {
  return Bun.spawn(["sh", join(benchFolder, "setup.sh")], { stdio: ["inherit", "inherit", "inherit"] }).exited;
}

async function measure(options: BenchOptions): Promise<number> {
  requireSetUp(commandsOf(options));
  const ran = ranNow();
  progress(describeMachine(ran.machine));
  await using ground = new Ground();
  const interruption = endOnSignal(ground);
  const outcome = await run(ground, options).catch((error: unknown) => (ground.ending ? undefined : Promise.reject(error as Error)));
  if (outcome === undefined) return interruption;
  console.log(outcome.raw.verdicts.length === 0 ? outcome.text : `${outcome.text}\n${verdictTable(outcome.raw.verdicts)}`);
  for (const fault of outcome.faults) console.error(`bench: the run does not count: ${fault}`);
  const { rounds, seconds, warmUpSeconds, runs, subject } = options;
  keepAll(options, { ...ran, settings: { rounds, seconds, warmUpSeconds, runs, subject }, ...outcome.raw });
  return outcome.faults.length > 0 ? 1 : 0;
}

/** What must be installed for it. */
function commandsOf({ command, against }: BenchOptions): readonly string[] {
  if (command === "stage") return against.flatMap((name) => peerCommands[name] ?? []);
  if (command === "services") return serviceProxies.filter(({ name }) => against.includes(name)).flatMap(({ name }) => commandOf(name));
  return command === "functions" ? proxies.filter(({ name }) => against.includes(name)).flatMap(({ family }) => commandOf(family)) : [];
}

/** Ctrl-C: whatever was started is ended and removed before the bench is. Resolves to the exit code. */
function endOnSignal(ground: Ground): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const end = (code: number) => (): void => void ground[Symbol.asyncDispose]().then(() => resolve(code));
  // More of them change nothing: what was started would be left behind.
  process.on("SIGINT", end(130));
  process.on("SIGTERM", end(143));
  return promise;
}

function run(ground: Ground, options: BenchOptions): Promise<Outcome> {
  switch (options.command) {
    case "stage-memory":
      return stageMemory(ground, options);
    case "stage-overload":
      return stageOverload(ground, options);
    case "functions":
      return functions(ground, options);
    case "cold-start":
      return coldStart(ground, options);
    case "services":
      return services(ground, options);
    case "neighbours":
      return neighbours(ground, options);
    case "tcp":
      return tcp(ground, options);
    case "stage":
    case "setup":
      return stage(ground, options);
  }
}

/** Those of a measure's parts that are asked for. */
function chosen<Part extends string>(all: readonly Part[], { parts }: BenchOptions): readonly Part[] {
  return all.filter((part) => parts.includes(part));
}

async function functions(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const subject = subjectAmong(options, [functionsApp, ...proxies]);
  const report = await runFunctions(
    ground,
    { ...options, parts: chosen(functionParts, options), subject, logged: loggedFunctionsApp },
    progress,
  );
  const tables = [
    ...report.comparisons.map((each) => comparisonTable(each)),
    ...(report.idle === undefined ? [] : [idleTable(report.idle)]),
  ];
  return { text: tables.join("\n"), raw: report, faults: [] };
}

async function coldStart(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const report = await runColdStart(ground, {
    parts: chosen(coldParts, options),
    runs: options.runs,
    containersLack: findContainersLack(),
    progress,
  });
  const tables = [
    ...(report.starts.length > 0 ? [startsTable(report.starts)] : []),
    ...(report.memory.length > 0 ? [idleMemoryTable(report.memory)] : []),
  ];
  return { text: tables.join("\n"), raw: report, faults: [] };
}

async function services(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const parts = chosen(serviceParts, options);
  const report = await runServices(ground, { ...options, parts, containersLack: findContainersLack() }, progress);
  const tables = [
    ...report.comparisons.map((each) => comparisonTable(each, { own: "proxy's CPU µs", programs: "daemons' CPU µs" })),
    ...(report.idle === undefined ? [] : [idleTable(report.idle)]),
    ...(report.streams === undefined ? [] : [idleTable(report.streams, "streams are open and silent")]),
  ];
  return { text: tables.join("\n"), raw: report, faults: [] };
}

async function neighbours(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const parts = chosen(misdeeds, options);
  const report = await runNeighbours(ground, { ...options, parts, containersLack: findContainersLack() }, progress);
  return { text: report.series.length === 0 ? "" : neighboursTable(report.series), raw: report, faults: [] };
}

async function tcp(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const subject = subjectAmong(options, [fibber, ...lineServers]);
  const report = await runTcp(ground, { ...options, parts: chosen(lineParts, options), subject }, progress);
  return { text: report.comparisons.map((each) => comparisonTable(each, { asked: "lines" })).join("\n"), raw: report, faults: [] };
}

async function stage(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const report = await runStage(
    ground,
    { ...options, programs: chosen(programs, options), subject: subjectOf(options, "stage") },
    progress,
  );
  return { text: stageText(report), raw: report, faults: [] };
}

function stageText(report: StageReport): string {
  const curl = report.curl === undefined ? [] : [report.curl];
  const tables = [...report.comparisons, ...report.crowded, ...curl].map((each) => comparisonTable(each));
  return [...tables, ...(report.lag === undefined ? [] : [lagTable(report.lag)])].join("\n");
}

async function stageMemory(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const size = options.quick ? { step: 500, steps: 4 } : {};
  const report = await runStageMemory(ground, { ...defaultMemoryOptions, ...size, subject: subjectOf(options, "stage") }, progress);
  const rows = report.readings.map(({ requests, rssBytes, pssBytes, processes }) => [
    requests,
    mebibytes(rssBytes),
    mebibytes(pssBytes),
    processes,
  ]);
  return { text: `${formatTable(["requests", "RSS MiB", "PSS MiB", "processes"], rows)}\n`, raw: report, faults: report.faults };
}

async function stageOverload(ground: Ground, options: BenchOptions): Promise<Outcome> {
  const report = await runStageOverload(
    ground,
    { ...defaultOverloadOptions, seconds: options.seconds, subject: subjectOf(options, "overload") },
    progress,
  );
  const table = formatTable(["", "requests/s", "p50 ms", "p99 ms", "max ms"], overloadRows(report));
  return { text: `${formatNumber(report.offeredPerSecond)} requests/s offered\n\n${table}\n`, raw: report, faults: report.faults };
}

function subjectOf({ subject }: BenchOptions, app: "stage" | "overload"): ServerKind {
  // Under overload a server that does not refuse would start programs without end.
  const kinds =
    app === "overload" ? [urocket(app), replySocketInBun(2 * overloadConcurrency)] : [urocket(app), replySocketInBun(), ...peers];
  return subjectAmong({ subject }, kinds);
}

function subjectAmong({ subject }: Pick<BenchOptions, "subject">, kinds: readonly ServerKind[]): ServerKind {
  const kind = kinds.find(({ name }) => name === subject);
  if (kind === undefined) throw new Error(`Unknown subject "${subject}": it must be one of ${kinds.map(({ name }) => name).join(", ")}`);
  return { ...kind, kind: "subject" };
}

function keepAll(options: BenchOptions, report: RanAt & Readonly<Record<string, unknown>>): void {
  const results = join(benchFolder, "results");
  const files = [
    join(results, `${options.command}-${report.date.replaceAll(":", "")}.json`),
    ...(options.whole ? [join(results, `latest-${options.command}.json`)] : []),
    ...(options.json === undefined ? [] : [options.json]),
  ];
  for (const file of files) {
    keep(file, report);
    progress(`kept in ${file}`);
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

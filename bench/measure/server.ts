/**
 * An HTTP server as a system: started on first use, put under load by the client, its CPU read before and after while it
 * is idle, so that no running program is taken for a part of it.
 */
import type { Ground, StartedProcess } from "../process/ground.ts";
import { processTree, usedBetween, type ProcessStat } from "../process/proc-stat.ts";
import type { Load, Sample, System } from "../system.ts";
import { faultsOf, runLoad, type LoadReport } from "./load-client.ts";

/** Every program's answer. */
export const expectedBody = "hello\n";

const readyWithinMs = 15_000;
const settledWithinMs = 1_000;

export interface Server {
  /** An IPv4 address. Default 127.0.0.1. */
  readonly address?: string;
  readonly port: number;
  readonly processes: readonly StartedProcess[];
}

export interface ServerKind {
  readonly name: string;
  readonly kind: System["kind"];
  /** Starts it; need not wait until it is ready. */
  readonly start: (ground: Ground) => Promise<Server> | Server;
}

/** What a server is asked, and what it must answer with 200. */
export interface Question {
  readonly path: string;
  /** A body to POST, of JSON. Default: it is a GET. */
  readonly send?: string;
  readonly body: string;
}

export interface ServerSystem extends System {
  /** The running server; starts it on first use. */
  server(): Promise<Server>;
}

/** @param questionOf what to ask for a load's program. Default: a program's answer. */
export function serverSystem(ground: Ground, { name, kind, start }: ServerKind, questionOf = programQuestion): ServerSystem {
  let started: Promise<Server> | undefined;
  return {
    name,
    kind,
    server: () => (started ??= Promise.resolve(start(ground))),
    async measure(load) {
      const server = await this.server();
      const question = questionOf(load.program);
      await untilAnswered(name, server, question);
      return measureServer(ground, server, load, question);
    },
  };
}

/** The same for every system, with a query that the contract makes urocket check. */
export function programQuestion(program: string): Question {
  return { path: `/${program}?n=1`, body: expectedBody };
}

async function measureServer(ground: Ground, server: Server, load: Load, question: Question): Promise<Sample> {
  const roots = server.processes.map(({ pid }) => pid);
  const before = await settledTree(roots);
  const { program: _, ...rest } = load;
  const report = await runLoad(ground, { ...rest, ...question, port: server.port });
  const after = await settledTree(roots, before);
  return toSample(report, usedBetween(before, after));
}

export function toSample(report: LoadReport, used: { readonly ownUs: number; readonly programsUs: number }): Sample {
  const answered = Math.max(1, report.answered);
  return {
    requests: report.accepted.count,
    seconds: report.seconds,
    p50Us: report.accepted.p50Us,
    p99Us: report.accepted.p99Us,
    ownCpuUs: used.ownUs / answered,
    ...(used.programsUs > 0 ? { programsCpuUs: used.programsUs / answered } : {}),
    faults: faultsOf(report),
  };
}

/**
 * The tree once it has the members of `like` (or, without it, of an earlier look), that is, when the last program was
 * reaped. What is still there after a second is taken as a part of the server.
 */
export async function settledTree(roots: readonly number[], like?: readonly ProcessStat[]): Promise<readonly ProcessStat[]> {
  const givenUpAt = Date.now() + settledWithinMs;
  let wanted = like ?? processTree(roots);
  for (;;) {
    await Bun.sleep(20);
    const now = processTree(roots);
    if (membersOf(now) === membersOf(wanted) || Date.now() > givenUpAt) return now;
    if (like === undefined) wanted = now;
  }
}

function membersOf(tree: readonly ProcessStat[]): string {
  return tree.map(({ pid }) => pid).join(" ");
}

/** @throws when the server ends, or does not answer as expected within 15 s. */
export async function untilAnswered(name: string, server: Server, question: Question, status = 200): Promise<void> {
  const expected = `${status} ${question.body}`;
  const givenUpAt = Date.now() + readyWithinMs;
  let ended = false;
  for (const { exited } of server.processes) void exited.then(() => (ended = true));
  let last = "nothing";
  while (!ended && Date.now() < givenUpAt) {
    last = await answerOf(server, question);
    if (last === expected) return;
    await Bun.sleep(20);
  }
  const complaints = server.processes.map((started) => started.complaint()).join("\n");
  throw new Error(`Cannot use ${name}: ${ended ? "it ended" : `it answered ${question.path} with ${last}`}\n${complaints}`.trim());
}

async function answerOf({ address = "127.0.0.1", port }: Server, { path, send }: Question): Promise<string> {
  const post = send === undefined ? {} : { method: "POST", body: send, headers: { "Content-Type": "application/json" } };
  try {
    const response = await fetch(`http://${address}:${port}${path}`, { ...post, signal: AbortSignal.timeout(2_000) });
    return `${response.status} ${await response.text()}`;
  } catch (error) {
    return String(error);
  }
}

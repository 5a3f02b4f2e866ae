/** `urocket doctor`: what of this machine apps can use, and how to get what is missing. */
import { dataFolderOf, type Environment } from "../config/settings.ts";
import { ownMachine } from "../config/surroundings.ts";
import { clean, examine, type Finding, leftovers } from "../host/doctor.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import { paint, type Stream, type Style, type Terminal } from "./terminal.ts";
import { testedBun } from "./version.ts";

export interface DoctorFlags {
  readonly clean?: boolean;
  readonly output?: "json";
  /** As of `serve`. */
  readonly data?: string;
}

/** What was found, and what was done about leftovers. */
interface Report {
  readonly findings: readonly Finding[];
  /** What is left of hosts that were killed. */
  readonly leftovers: readonly string[];
  /** With --clean: what was left, and is gone. */
  readonly removed?: readonly string[];
}

export async function doctor(flags: DoctorFlags, environment: Environment, { out }: Terminal): Promise<ExitCode> {
  const dataFolder = flags.data ?? (environment["UROCKET_DATA"] || dataFolderOf(ownMachine(), environment));
  const removed = flags.clean === true ? { removed: await clean() } : {};
  const report: Report = { findings: await examine({ bunVersion: testedBun, dataFolder }), leftovers: await leftovers(), ...removed };
  if (flags.output === "json") out.line(JSON.stringify(toJson(report), undefined, 2));
  else for (const line of reportLines(report, out)) out.line(line);
  return isWell(report) ? exitCode.done : exitCode.failed;
}

/** What works with less is no reason to fail: a machine without containers serves apps in processes. */
const isWell = ({ findings }: Report): boolean => findings.every(({ state }) => state !== "missing");

function toJson(report: Report): object {
  return { ok: isWell(report), ...report };
}

const colours: Readonly<Record<Finding["state"], Style>> = { ok: "green", limited: "yellow", missing: "red" };
const stateWidth = "limited".length;

/** A line for each finding, and below those that are not well what to do. */
export function reportLines(report: Report, stream: Stream): readonly string[] {
  const { findings } = report;
  const width = Math.max(...findings.map(({ what }) => Bun.stringWidth(what)), 0);
  const indent = " ".repeat(stateWidth + 2 + width + 2);
  const lines = findings.flatMap(({ what, state, detail, fix }) => {
    const line = `${paint(stream, colours[state], state.padEnd(stateWidth))}  ${what.padEnd(width)}  ${detail}`;
    return fix === undefined ? [line] : [line, ...fix.split("\n").map((text) => `${indent}${text}`)];
  });
  return [...lines, "", ...leftoverLines(report), summary(findings, stream)];
}

function leftoverLines({ leftovers: left, removed }: Report): readonly string[] {
  const gone = removed === undefined ? [] : removed.map((what) => `removed: ${what}`);
  if (left.length === 0) return removed !== undefined && removed.length > 0 ? gone : ["Nothing is left of hosts that were killed."];
  return [
    ...gone,
    removed === undefined
      ? "Left by hosts that were killed (`urocket doctor --clean` removes it, the next `serve` too):"
      : "Cannot remove, though its host is gone (of another user's host, root can):",
    ...left.map((what) => `  ${what}`),
  ];
}

function summary(findings: readonly Finding[], stream: Stream): string {
  const count = (state: Finding["state"]): number => findings.filter((finding) => finding.state === state).length;
  const [missing, limited] = [count("missing"), count("limited")];
  if (missing === 0 && limited === 0) return paint(stream, "green", "Everything is there that apps may need.");
  const words = [...(missing > 0 ? [`${missing} missing`] : []), ...(limited > 0 ? [`${limited} limited`] : [])].join(", ");
  const meaning = missing > 0 ? "apps that need what is missing are not served" : "apps are served, with the limits that are told above";
  return paint(stream, missing > 0 ? "red" : "yellow", `${words}: ${meaning}.`);
}

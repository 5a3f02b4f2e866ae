/** The bench's command line, read into values. Everything wrong with it is said at once. */
import { parseArgs } from "node:util";
import { peers } from "./peers/peers.ts";
import { programs, type Program } from "./system.ts";

export const commands = ["stage", "stage-memory", "stage-overload", "setup"] as const;
export type Command = (typeof commands)[number];

export interface BenchOptions {
  readonly command: Command;
  readonly quick: boolean;
  readonly programs: readonly Program[];
  readonly against: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** "urocket", or a peer to be measured in its place. */
  readonly subject: string;
  /** Where the raw figures go besides bench/results. */
  readonly json?: string;
  /** Whether this is the whole of the measure, so that it may become the latest result. */
  readonly whole: boolean;
}

export const usage = `Usage: npm run bench -- COMMAND [options]

Commands:
  setup            install the peers (Debian, root) and compile the bench's programs
  stage            a program per request: throughput, latency and CPU against peers and limit
  stage-memory     memory after 100 000 requests against after 10 000
  stage-overload   ten times more requests than can be served

Options:
  --only LIST      kinds of program, of ${programs.join(",")} (default: all)
  --against LIST   peers, of ${peers.map(({ name }) => name).join(",")} (default: all)
  --rounds N       rounds of each pair (default 5)
  --seconds S      measured time of each run (default 3)
  --quick          one round of one second: does the bench work? Its figures mean nothing
  --json FILE      keep the raw figures there too
  --subject NAME   measure a peer in urocket's place, or "Bun reply socket"`;

export type ReadOptions =
  | { readonly ok: true; readonly options: BenchOptions }
  | { readonly ok: false; readonly problems: readonly string[] };

export function readOptions(argv: readonly string[]): ReadOptions {
  const problems: string[] = [];
  const read = parse(argv, problems);
  if (read === undefined) return { ok: false, problems };
  const { values, positionals } = read;
  const quick = values.quick === true;
  const command = commands.find((each) => each === positionals[0]);
  if (command === undefined || positionals.length > 1)
    problems.push(`Unknown command "${positionals.join(" ")}": it must be one of ${commands.join(", ")}`);
  const options = {
    command: command ?? "stage",
    quick,
    programs: listOf("--only", values.only, programs, problems),
    against: listOf(
      "--against",
      values.against,
      peers.map(({ name }) => name),
      problems,
    ),
    rounds: numberOf("--rounds", values.rounds, quick ? 1 : 5, 1, problems),
    seconds: numberOf("--seconds", values.seconds, quick ? 1 : 3, 0.1, problems),
    warmUpSeconds: quick ? 0.2 : 0.5,
    subject: values.subject ?? "urocket",
    // --json alone leaves it the whole.
    whole: Object.keys(values).every((name) => name === "json"),
    ...(values.json === undefined ? {} : { json: values.json }),
  };
  return problems.length > 0 ? { ok: false, problems } : { ok: true, options };
}

function parse(argv: readonly string[], problems: string[]) {
  const text = { type: "string" } as const;
  const options = {
    only: text,
    against: text,
    rounds: text,
    seconds: text,
    json: text,
    subject: text,
    quick: { type: "boolean" },
  } as const;
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error));
    return undefined;
  }
}

function listOf<Name extends string>(flag: string, text: string | undefined, known: readonly Name[], problems: string[]): readonly Name[] {
  if (text === undefined) return known;
  return text.split(",").flatMap((word) => {
    const name = known.find((each) => each === word.trim());
    if (name === undefined) problems.push(`Unknown name "${word}" in ${flag}: it must be of ${known.join(", ")}`);
    return name === undefined ? [] : [name];
  });
}

function numberOf(flag: string, text: string | undefined, otherwise: number, least: number, problems: string[]): number {
  if (text === undefined) return otherwise;
  const value = Number(text);
  if (text.trim() === "" || !(value >= least) || value > 3_600)
    problems.push(`${flag} is "${text}": it must be a number from ${least} to 3600`);
  return value;
}

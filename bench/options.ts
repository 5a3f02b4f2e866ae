/** The bench's command line, read into values. Everything wrong with it is said at once. */
import { parseArgs } from "node:util";
import { coldParts } from "./cold-start.ts";
import { functionParts } from "./functions.ts";
import { lineServers } from "./peers/line-servers.ts";
import { misdeeds } from "./neighbours.ts";
import { peers } from "./peers/peers.ts";
import { proxies } from "./peers/proxies.ts";
import { serviceProxies } from "./peers/daemons.ts";
import { serviceParts } from "./services.ts";
import { programs } from "./system.ts";
import { lineParts } from "./tcp.ts";

export const commands = [
  "stage",
  "stage-memory",
  "stage-overload",
  "functions",
  "services",
  "cold-start",
  "neighbours",
  "tcp",
  "setup",
] as const;
export type Command = (typeof commands)[number];

/** What `--only` and `--against` choose from, and the effort of a whole run. */
interface Choices {
  readonly parts: readonly string[];
  readonly against: readonly string[];
  readonly seconds: number;
}

const nothing: Choices = { parts: [], against: [], seconds: 3 };
const names = (kinds: readonly { readonly name: string }[]): readonly string[] => kinds.map(({ name }) => name);

const choices: Readonly<Record<Command, Choices>> = {
  stage: { parts: programs, against: names(peers), seconds: 3 },
  "stage-memory": nothing,
  "stage-overload": nothing,
  functions: { parts: functionParts, against: names(proxies), seconds: 1.2 },
  services: { parts: serviceParts, against: names(serviceProxies), seconds: 0.9 },
  "cold-start": { parts: coldParts, against: [], seconds: 1 },
  neighbours: { parts: misdeeds, against: [], seconds: 1.5 },
  tcp: { parts: lineParts, against: names(lineServers), seconds: 1.5 },
  setup: nothing,
};

export interface BenchOptions {
  readonly command: Command;
  readonly quick: boolean;
  /** Which of the measure's parts; all of them by default. */
  readonly parts: readonly string[];
  readonly against: readonly string[];
  readonly rounds: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  /** Cold starts of each kind. */
  readonly runs: number;
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
  functions        warm functions against proxies before the same functions
  services         three instances of a daemon, against proxies before the same three
  cold-start       from scaled to zero to the first answered byte, and idle memory
  neighbours       an app's latency beside another that does what it must not
  tcp              lines over TCP against servers that answer by themselves

Options:
  --only LIST      parts. stage: ${programs.join(",")}; functions: ${functionParts.join(",")};
                   services: ${serviceParts.join(",")};
                   cold-start: ${coldParts.join(",")}; neighbours: ${misdeeds.join(",")};
                   tcp: ${lineParts.join(",")} (default: all)
  --against LIST   peers, by the names in the tables (default: all)
  --rounds N       rounds of each pair (default 5)
  --seconds S      measured time of each run (default: stage 3, functions ${choices.functions.seconds}, services ${choices.services.seconds},
                   neighbours ${choices.neighbours.seconds}, tcp ${choices.tcp.seconds})
  --runs N         cold starts of each kind (default 60)
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
  const choice = choices[command ?? "stage"];
  const options = {
    command: command ?? "stage",
    quick,
    parts: listOf("--only", values.only, choice.parts, problems),
    against: listOf("--against", values.against, choice.against, problems),
    rounds: numberOf("--rounds", values.rounds, quick ? 1 : 5, 1, problems),
    seconds: numberOf("--seconds", values.seconds, quick ? 1 : choice.seconds, 0.1, problems),
    warmUpSeconds: quick ? 0.2 : command === "services" ? 0.3 : 0.5,
    runs: numberOf("--runs", values.runs, quick ? 3 : 60, 1, problems),
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
    runs: text,
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

function listOf(flag: string, text: string | undefined, known: readonly string[], problems: string[]): readonly string[] {
  if (text === undefined) return known;
  return text.split(",").flatMap((word) => {
    const name = known.find((each) => each === word.trim());
    if (name === undefined) problems.push(`Unknown name "${word}" in ${flag}: it must be of ${known.join(",")}`);
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

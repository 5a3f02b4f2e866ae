/** Bringing an app's daemon up: a port, the process, and looks at it until it is ready, has ended, or is late. */
import { formatDuration } from "../core/units.ts";
import type { LoadHead, ServiceSpec } from "../link/messages.ts";
import { listeningAddresses } from "../sandbox/listening-sockets.ts";
import { Daemon } from "./daemon.ts";
import type { LookedAt } from "./service-look.ts";
import { lookAt } from "./service-look.ts";
import type { ServiceLog } from "./service-log.ts";
import { planService } from "./service-plan.ts";
import { reservePort, type ServicePort } from "./service-port.ts";
import { commandWords, misplacedWords, saysPortInUse } from "./service-words.ts";
import { spawnFailure } from "./spawn-failure.ts";

/** A daemon whose free port was taken meanwhile is started so often. */
const startsMax = 3;
/** Looks are so far apart: an eighth of the time since the start, so that a daemon is found ready little later than it is. */
const lookEveryMsMin = 1;
const lookEveryMsMax = 100;
const lookEveryShare = 1 / 8;
/** A daemon that answers at all does so within this. */
const answerMsMin = 100;
/** After so long its author is told where it listens instead. */
const warnAfterMs = 2000;

export interface ServiceStart {
  readonly spec: ServiceSpec;
  readonly load: LoadHead;
  readonly log: ServiceLog;
  /** The instance is given up: nobody waits any more. */
  readonly signal: AbortSignal;
  /** A daemon that has to be ended, whatever comes of it. */
  readonly started: (daemon: Daemon, port: ServicePort) => void;
}

export type StartedService =
  | { readonly ok: true; readonly daemon: Daemon; readonly port: number }
  /** The message goes on "its instance …". */
  | { readonly ok: false; readonly message: string };

type Outcome = { readonly found: "ready" | "exited" | "given-up" } | { readonly found: "late"; readonly detail: string };

export async function startService(start: ServiceStart): Promise<StartedService> {
  for (let starts = 1; ; starts++) {
    const port = portOf(start.spec);
    if (port === undefined) return { ok: false, message: "has no port for its service: all that were tried are in use" };
    const daemon = spawn(start, port.port);
    if (typeof daemon === "string") {
      port.release();
      return { ok: false, message: daemon };
    }
    start.started(daemon, port);
    const outcome = await untilReady(start, daemon, port.port);
    if (outcome.found === "ready") return { ok: true, daemon, port: port.port };
    const message = failureWords(start, daemon, port.port, outcome);
    if (outcome.found !== "exited" || !isWorthAnotherPort(start, starts)) return { ok: false, message };
    await daemon.end(0);
    port.release();
    start.log.forget();
  }
}

function portOf({ port }: ServiceSpec): ServicePort | undefined {
  return port === undefined ? reservePort() : { port, release: () => {} };
}

function isWorthAnotherPort({ spec, log, signal }: ServiceStart, starts: number): boolean {
  return spec.port === undefined && starts < startsMax && !signal.aborted && saysPortInUse(log.lastWords());
}

/** The daemon, or in words why there is none. */
function spawn({ spec, load, log }: ServiceStart, port: number): Daemon | string {
  const { argv, environment, attempt } = planService(spec, load, port);
  try {
    return new Daemon({
      argv,
      environment,
      wd: spec.wd,
      mark: `UROCKET_INSTANCE=${load.instance}`,
      ...(load.memorySlots === undefined ? {} : { memorySlots: load.memorySlots }),
      onLine: {
        stdout: (line, cut) => log.line("stdout", line, cut),
        stderr: (line, cut) => log.line("stderr", line, cut),
      },
    });
  } catch (error) {
    const { detail, advice } = spawnFailure(attempt, error);
    return advice === undefined ? detail : `${detail}: ${advice}`;
  }
}

async function untilReady(start: ServiceStart, daemon: Daemon, port: number): Promise<Outcome> {
  const { spec, signal, log } = start;
  const over = endOf(daemon, signal);
  const beganAt = performance.now();
  let mayWarn = true;
  let before: string | undefined;
  for (;;) {
    const leftMs = Math.max(1, beganAt + spec.startTimeoutMs - performance.now());
    const look = await Promise.race([lookAt(lookedAt(spec, port, leftMs)), over]);
    if (typeof look === "string") return { found: look };
    // Whoever answers at the port of a daemon that has ended is somebody else.
    if (look.well && !daemon.hasExited) return { found: "ready" };
    const ageMs = performance.now() - beganAt;
    // One that was cut short tells less than the one before it.
    if (!look.well && (leftMs >= answerMsMin || before === undefined)) before = look.detail;
    if (before !== undefined && ageMs >= spec.startTimeoutMs) return { found: "late", detail: before };
    if (mayWarn && ageMs >= warnAfterMs) {
      mayWarn = false;
      const misplaced = misplacedWords(spec, port, listeningAddresses(daemon.living()));
      if (misplaced !== undefined) log.warn(`The service is not ready: ${misplaced}`);
    }
    const ended = await Promise.race([Bun.sleep(Math.min(lookEveryMsMax, Math.max(lookEveryMsMin, ageMs * lookEveryShare))), over]);
    if (ended !== undefined) return { found: ended };
  }
}

/** How a daemon is looked at. @param timeoutMsMax before what else the look has to be over. */
export function lookedAt({ reach, health }: ServiceSpec, port: number, timeoutMsMax = Number.POSITIVE_INFINITY): LookedAt {
  return { host: reach, port, path: health.path, timeoutMs: Math.min(health.timeoutMs, timeoutMsMax) };
}

function endOf(daemon: Daemon, signal: AbortSignal): Promise<"exited" | "given-up"> {
  const givenUp = new Promise<"given-up">((resolve) => {
    if (signal.aborted) return resolve("given-up");
    signal.addEventListener("abort", () => resolve("given-up"), { once: true });
  });
  return Promise.race([daemon.exited.then(() => "exited" as const), givenUp]);
}

function failureWords({ spec, log }: ServiceStart, daemon: Daemon, port: number, outcome: Outcome): string {
  const begin = `cannot bring up its service ${commandWords(spec)}`;
  const said = lastWordsOf(log);
  switch (outcome.found) {
    case "late": {
      const listening = listeningAddresses(daemon.living());
      const advice = listening.length === 0 ? "have it listen on $HOST:$PORT" : misplacedWords(spec, port, listening);
      const where = advice === undefined ? "" : `; ${advice}`;
      return `${begin} within ${formatDuration(spec.startTimeoutMs)}: ${outcome.detail}${where}${said}`;
    }
    case "exited":
      return `${begin}: it ${endingWords(daemon)}${backgroundWords(daemon)} before it was ready${said}`;
    default:
      return `${begin}: the instance was ended before it was ready${said}`;
  }
}

function endingWords({ ending: { words, limit } }: Daemon): string {
  return limit === undefined ? words : `${words} by the kernel, because it reached limits.${limit},`;
}

/** Many a daemon leaves its terminal when nobody tells it not to. */
function backgroundWords(daemon: Daemon): string {
  const [pid] = daemon.living();
  return pid === undefined ? "" : `, leaving process ${pid} in the background (have it stay in the foreground),`;
}

/** The end of a sentence: what it said last. */
export function lastWordsOf(log: ServiceLog): string {
  const words = log.lastWords();
  return words === "" ? "" : `; its last words: ${words}`;
}

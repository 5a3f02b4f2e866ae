/** What is said of a daemon that is not found where it should be, or does not leave, and what to do about it. Pure. */
import { formatDuration } from "../core/units.ts";
import type { ServiceSpec } from "../link/messages.ts";
import type { ListeningAddress } from "../sandbox/listening-sockets.ts";
import { authority } from "./service-look.ts";

/**
 * Where it listens instead of where others reach it; undefined: it listens on nothing, or where it should.
 * @param port where it should.
 */
export function misplacedWords(spec: ServiceSpec, port: number, listening: readonly ListeningAddress[]): string | undefined {
  const [first] = listening;
  if (first === undefined || listening.some((address) => address.port === port && reaches(address.host, spec.reach))) return undefined;
  const there = [...new Set(listening.map(({ host, port: other }) => authority(host, other)))].join(" and ");
  if (listening.some((address) => address.port === port))
    return `it listens on ${there}, and not where others reach it: have it listen on $HOST:$PORT (${authority(spec.host, port)})`;
  return spec.port === undefined
    ? `it listens on ${there}, and its PORT is ${port}: have it listen on $PORT; a daemon with a port of its own needs sandbox: container`
    : `it listens on ${there}, and its PORT is ${port}: have it listen on $PORT, or set service.port to ${first.port}`;
}

/** Who was killed because TERM had not ended it. */
export function lateWords(late: "daemon" | "others", graceMs: number): string {
  const grace = `${formatDuration(graceMs)} after TERM`;
  return late === "daemon"
    ? `The service had not exited ${grace} and was killed: have it exit on TERM`
    : `What the service had started was still there ${grace} and was killed: have the service end it on TERM`;
}

/** The daemon's command as its author wrote it, for messages. */
export function commandWords(spec: ServiceSpec): string {
  return `"${spec.argv.join(" ")}"`;
}

/** Whether what listens on `host` is reached by `reach`. */
function reaches(host: string, reach: string): boolean {
  return host === reach || host === "0.0.0.0" || host === "::";
}

/** Whether the last words say that somebody else has the port: "EADDRINUSE", "Address already in use", "port is already allocated". */
export function saysPortInUse(words: string): boolean {
  return /EADDRINUSE|address (?:is )?already in use|port \S* ?(?:is )?(?:already )?(?:in use|taken|allocated)|only one usage of each socket address/i.test(
    words,
  );
}

/**
 * What is compared: something that answers by starting a program. Most are HTTP servers under load; the limit is a bare
 * loop. All are asked the same question and answer with a sample.
 */

/** The kinds of program that every system runs, doing the same work. */
export const programs = ["dynamic", "static", "sh", "php"] as const;
export type Program = (typeof programs)[number];

export interface Load {
  /** One of `programs`, or another operation that the system under test alone has ("sh-curl"). */
  readonly program: string;
  readonly connections: number;
  readonly seconds: number;
  /** Load before the figures count. */
  readonly warmUpSeconds: number;
}

export interface Sample {
  /** Right answers within the measured time. */
  readonly requests: number;
  readonly seconds: number;
  readonly p50Us: number;
  readonly p99Us: number;
  /** CPU per request of the system itself: its processes, without the programs. */
  readonly ownCpuUs: number;
  /** CPU per request of the programs; absent where the server has the kernel forget them (fcgiwrap ignores SIGCHLD). */
  readonly programsCpuUs?: number;
  /** Why the sample does not count, each as a sentence's beginning ("3 wrong answers, the first: …"); empty: it counts. */
  readonly faults: readonly string[];
}

export interface System {
  readonly name: string;
  readonly kind: "subject" | "peer" | "limit";
  /** Starts it on first use. @throws when it cannot be started. */
  measure(load: Load): Promise<Sample>;
}

export function perSecond(sample: Sample): number {
  return sample.requests / sample.seconds;
}

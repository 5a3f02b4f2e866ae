/**
 * How many instances an app should have: decided here, from values; started and stopped by the pool. Functions are scaled by
 * how many are called at once, averaged over a long window and a short one, as Knative's pod autoscaler does; programs by
 * how many an instance runs, up to the processors. docs/scaling.md tells it to users.
 */

export interface ScaleLimits {
  /** Kept, however idle. */
  readonly min: number;
  readonly max: number;
  /** An instance without work for so long is stopped, in ms. */
  readonly idleMs: number;
  /** Functions that run at once in each instance; 0: the app has none. */
  readonly callsMax: number;
  /** More instances than these help no program, and make no headroom for functions. */
  readonly processors: number;
  /** The app has programs. */
  readonly programs: boolean;
}

/** Demand is averaged over it, in ms. */
export const stableWindowMs = 30_000;
/** The short window, in ms, which notices a burst. */
export const panicWindowMs = 1_000;
/** How often instances that are too many are looked for, in ms. */
export const shrinkEveryMs = 2_000;
/** How much of its concurrency an instance should use: the rest is room for what comes while another starts. */
const targetUtilisation = 0.7;
/** The short window asks for so many times the instances there are: a burst. */
const panicThreshold = 2;
/** Each look stops at most all but this part of the instances. */
const scaleDownRate = 2;
/** An instance is added when the least busy one runs so many programs: a single one is not worth a process. */
const busyPrograms = 2;

export interface ScaleView {
  /** Instances that serve, frozen ones among them. */
  readonly ready: number;
  /** Instances that are on their way. */
  readonly starting: number;
  /** Calls that no instance has room for. */
  readonly waitingCalls: number;
  /** Programs and connections that no instance has taken. */
  readonly waitingOther: number;
  /** Programs that run on the instance that runs fewest. */
  readonly programsAtLeast: number;
  /** Mean of the functions that ran or waited, over the long window. */
  readonly stable: number;
  /** The same, over the short window. */
  readonly panic: number;
  /** The most of them at once in the long window. */
  readonly peak: number;
  /** Functions that run or wait now. */
  readonly calls: number;
  readonly nowMs: number;
}

/** A burst that is being answered: until the long window has passed since it was last seen, nothing is stopped. */
export interface Panic {
  readonly lastSeenMs: number;
  readonly most: number;
}

export interface ScaleDecision {
  /** Instances there should be, those on their way included: between `min` and `max`. */
  readonly want: number;
  readonly panic: Panic | undefined;
}

export function decide(view: ScaleView, limits: ScaleLimits, before: Panic | undefined): ScaleDecision {
  const panic = panicAfter(view, limits, before);
  const want = Math.max(
    wantedByWindows(view, limits, panic),
    wantedByWaiting(view, limits),
    wantedByPrograms(view, limits),
    limits.min,
    // The last one is stopped for being idle, not for a window that is empty.
    Math.min(1, view.ready + view.starting),
  );
  return { want: Math.min(want, Math.max(limits.max, limits.min)), panic };
}

/**
 * How many of the instances that serve may be stopped, by a decision that wants fewer: none that the long window had work for,
 * so that traffic which goes up and down does not make instances come and go.
 */
export function surplus(view: ScaleView, limits: ScaleLimits, { want, panic }: ScaleDecision): number {
  if (limits.callsMax === 0 || panic !== undefined || view.starting > 0 || view.ready <= want) return 0;
  // What programs use is theirs until it is idle.
  const forPrograms = limits.programs ? limits.processors : 0;
  const forPeak = Math.ceil(view.peak / limits.callsMax);
  return Math.max(0, view.ready - Math.max(want, forPrograms, forPeak, Math.floor(view.ready / scaleDownRate)));
}

function panicAfter(view: ScaleView, limits: ScaleLimits, before: Panic | undefined): Panic | undefined {
  const wanted = Math.min(instancesFor(view.panic, limits), limits.max);
  if (wanted >= panicThreshold * Math.max(1, view.ready)) {
    return { lastSeenMs: view.nowMs, most: Math.max(wanted, before?.most ?? 0) };
  }
  return before === undefined || view.nowMs - before.lastSeenMs > stableWindowMs ? undefined : before;
}

function wantedByWindows(view: ScaleView, limits: ScaleLimits, panic: Panic | undefined): number {
  // From nothing, only what waits starts an instance: the last one was stopped for being idle, whatever the windows remember.
  const present = view.ready + view.starting;
  if (present === 0 && view.waitingCalls === 0) return 0;
  const stable = instancesFor(view.stable, limits);
  const wanted = panic === undefined ? stable : Math.max(stable, panic.most, instancesFor(view.panic, limits));
  // Those that were idle leave before the windows have forgotten their work: while there is none they are not replaced.
  return view.calls === 0 ? Math.min(wanted, present) : wanted;
}

/** Room that is missing now is made now. */
function wantedByWaiting({ ready, starting, waitingCalls, waitingOther }: ScaleView, { callsMax }: ScaleLimits): number {
  const forOther = waitingOther > 0 ? 1 : 0;
  return waitingCalls === 0 || callsMax === 0
    ? forOther
    : Math.max(forOther, ready + Math.max(starting, Math.ceil(waitingCalls / callsMax)));
}

/** One at a time: by when it is ready, it may be enough. */
function wantedByPrograms({ ready, starting, programsAtLeast }: ScaleView, { processors }: ScaleLimits): number {
  const busy = ready > 0 && starting === 0 && programsAtLeast >= busyPrograms && ready < processors;
  return busy ? ready + 1 : 0;
}

/** Enough for the demand itself, and headroom as far as there are processors for it. */
function instancesFor(demand: number, { callsMax, processors }: ScaleLimits): number {
  if (callsMax === 0) return 0;
  const withHeadroom = Math.ceil(demand / (callsMax * targetUtilisation));
  return Math.max(Math.ceil(demand / callsMax), Math.min(withHeadroom, processors));
}

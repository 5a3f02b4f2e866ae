/**
 * The instances of a pool from their start to their end: how one is made, what makes room for another, what replaces one that
 * died, and who leaves or sleeps for being idle. How many there should be is the pool's to say.
 */
import type { SampleHead } from "../link/messages.ts";
import { processFigures } from "../sandbox/process-figures.ts";
import type { InstanceUsage } from "../sandbox/sandbox.ts";
import { afterWork } from "./ejection.ts";
import { Instance, type InstanceEvents, type StrayOutput } from "./instance.ts";
import type { InstanceOptions } from "./instance-runner.ts";
import { type Member, Members } from "./members.ts";
import { type RecycleLimits, wornBy } from "./recycle.ts";
import type { Spares } from "./spares.ts";
import type { PlaceOutcome } from "./work.ts";

export interface FleetOptions extends InstanceOptions {
  /** Instances kept, however idle. */
  readonly min: number;
  /** An instance without work for so long is stopped, in ms. */
  readonly idleMs: number;
  /** When an instance that serves well is replaced all the same. Default: never. */
  readonly recycle?: RecycleLimits;
  /** Runners that were started ahead in the same sandbox, for all the host's apps. Default: none. */
  readonly spares?: Spares;
  /** The configured reply socket path. One process at a time gets it; every container has one of its own. */
  readonly sharedReplySocket?: string;
  /** The configured path belongs to this host's revision before, which is about to be retired: take it. */
  readonly takesOverReplySocket: boolean;
}

/** What is told of instances to whoever serves the app. */
export interface FleetReports {
  sample(instance: string, sample: SampleHead): void;
  /** A line that functions wrote outside of any call, or after it. */
  output(instance: string, line: StrayOutput): void;
  /** An instance's daemon fails its health checks: it is replaced; or it passes them again. */
  health(instance: string, state: "well" | "failing", detail: string): void;
  /** An instance is over. `expected`: it was asked to stop. @param usage at its end. */
  stopped(instance: string, reason: string, expected: boolean, usage: InstanceUsage): void;
}

/** What the pool is told, which gives them work. */
export interface FleetEvents {
  /** Somebody may have room who had none. */
  room(): void;
  /** There are fewer that serve than there were. */
  fewer(): void;
  /** One more has become ready. */
  joined(): void;
  /** None comes up, for now. */
  none(reason: string): void;
}

/** Wait before an instance that died is replaced: doubled for each death in a row, until one has done some work or lived for the longest. */
const backOffMs = { first: 100, max: 10_000 } as const;
/** An instance without work is frozen after so long, in ms, or after half of `idle`, whichever is sooner. */
const freezeAfterMs = 10_000;

export class Fleet {
  readonly members = new Members();
  /** Positions of the calls that Fetch handlers serve; known when an instance has served, and the same in all. */
  fetches: ReadonlySet<number> = new Set();

  readonly #options: FleetOptions;
  readonly #reports: FleetReports;
  readonly #events: FleetEvents;
  readonly #callsMax: number;
  readonly #requestsMax: number;
  readonly #freezeAfterMs: number;
  /** The reply socket of an instance with programs answers at all times, and so does a daemon: it must not be stopped in place. */
  readonly #mayFreeze: boolean;
  /** The configured reply socket, where instances have to share it. */
  readonly #sharedReplySocket: string | undefined;
  /** Who owns the configured reply socket. */
  #sharedOwner: Instance | undefined;
  #takesOverReplySocket: boolean;
  /** While the pool starts: if this one does not come up, that is told by rejecting. */
  #first: Member | undefined;
  #deathsInARow = 0;
  /** An instance that began with a dead spare was excused since one became ready. */
  #hasExcused = false;
  #replacement: ReturnType<typeof setTimeout> | undefined;
  #closing = false;

  constructor(options: FleetOptions, reports: FleetReports, events: FleetEvents) {
    const { load, recycle, idleMs, takesOverReplySocket } = options;
    this.#options = options;
    this.#reports = reports;
    this.#events = events;
    this.#callsMax = load.functions?.callsMax ?? 0;
    this.#requestsMax = recycle?.requests ?? Infinity;
    this.#freezeAfterMs = Math.min(freezeAfterMs, idleMs / 2);
    this.#mayFreeze = Object.keys(load.programs).length === 0 && load.service === undefined;
    this.#sharedReplySocket = options.sandbox.kind === "process" ? options.sharedReplySocket : undefined;
    this.#takesOverReplySocket = takesOverReplySocket;
  }

  /** Starts the first. Rejects with its reason when it does not come up; nothing is left of it then. */
  async start(): Promise<void> {
    this.#first = this.#add();
    const { instance: first } = this.#first;
    try {
      await first.ready;
      this.#first = undefined;
    } catch (error) {
      this.close();
      await first.over;
      throw error;
    }
  }

  /** Resolves when those that are there serve, or never will. */
  async settled(): Promise<void> {
    await Promise.all(this.members.all.map(({ instance }) => Promise.race([instance.ready.catch(() => {}), instance.over])));
  }

  /** Starts so many, none while the last ones died. */
  grow(count: number): void {
    // While the configured reply socket's owner leaves nobody else can have it: the next one starts when it is gone.
    if (this.members.all.some(({ instance, leaving }) => leaving !== undefined && instance === this.#sharedOwner)) return;
    for (let number = 0; number < count && this.#replacement === undefined; number++) this.#tryAdd();
  }

  /** Stops so many of those that have no work, the longest idle first. */
  shrink(count: number): void {
    for (const member of this.#idle().slice(0, count)) this.#dismiss(member, undefined);
  }

  /** Asks those that have to answer whether they do. */
  beat(): void {
    for (const { instance } of this.members.all) if (instance.watched || instance.open > 0) instance.beat();
  }

  /** Stops what has been idle for long enough, and freezes what has been for a while. @param wanted so many are not stopped, however idle. */
  settle(wanted = 0): void {
    let tooMany = this.members.staying - Math.max(wanted, this.#options.min);
    for (const member of this.#settling()) {
      const { instance } = member;
      if (instance.idleMs >= this.#options.idleMs && tooMany-- > 0) this.#dismiss(member, undefined);
      else if (this.#mayFreeze && instance.idleMs >= this.#freezeAfterMs && instance.freeze()) this.members.sort();
    }
  }

  /** When there will be something to `settle`, in ms from now; undefined: not unless there is work before. */
  get settlesInMs(): number | undefined {
    let due: number | undefined;
    for (const { instance } of this.#settling()) {
      const freezes = this.#mayFreeze && instance.state === "ready";
      due = Math.min(due ?? Infinity, (freezes ? this.#freezeAfterMs : this.#options.idleMs) - instance.idleMs);
    }
    return due;
  }

  /** Replaces those that are worn out. @param weigh whether their memory is looked at. */
  recycleWorn(weigh: boolean): void {
    const { recycle } = this.#options;
    if (recycle === undefined) return;
    for (const member of this.members.all) {
      this.#recycleWhenWorn(member, weigh && recycle.memoryBytes !== undefined ? this.#memoryOf(member.instance) : undefined);
    }
  }

  /** Starts nothing more. */
  close(): void {
    this.#closing = true;
    clearTimeout(this.#replacement);
  }

  /** Lets every instance finish what it has. Resolves when nothing is left. */
  async drain(): Promise<void> {
    await Promise.all(this.members.all.map(({ instance }) => instance.drain()));
  }

  /** Ends every instance at once. */
  async kill(reason: string): Promise<void> {
    await Promise.all(this.members.all.map(({ instance }) => instance.kill(reason)));
  }

  /** The runner's, where the app's own code is in it; a daemon's is that of the instance's control group. */
  #memoryOf(instance: Instance): number | undefined {
    const { pid } = instance;
    const { service } = this.#options.load;
    const all = service !== undefined || pid === undefined ? instance.usage().memoryBytes : undefined;
    return all ?? (pid === undefined ? undefined : processFigures(pid)?.residentBytes);
  }

  /** Those without work that are not kept. */
  #settling(): readonly Member[] {
    return this.#idle().slice(0, Math.max(0, this.members.staying - this.#options.min));
  }

  /** Those without work that may leave now, the longest idle first. */
  #idle(): readonly Member[] {
    return this.members.byIdleness().filter((member) => !this.#isNeeded(member));
  }

  /** The owner of the configured reply socket leaves last: programs of the others may reply there. */
  #isNeeded(member: Member): boolean {
    return member.instance === this.#sharedOwner && this.members.all.some((other) => other !== member && other.leaving === undefined);
  }

  #dismiss(member: Member, why: string | undefined): void {
    if (this.#isNeeded(member)) return;
    member.leaving = { why };
    this.members.sort();
    void member.instance.drain();
  }

  #tryAdd(): Member | undefined {
    try {
      return this.#add();
    } catch (error) {
      // No process or descriptor is left, or no room for its folder: as if it had died at once.
      this.#replace(error instanceof Error ? error.message : String(error), false);
      return undefined;
    }
  }

  #add(): Member {
    const load = { ...this.#options.load, ...this.#replySocketOf() };
    const events: InstanceEvents = {
      sample: (sample) => this.#reports.sample(instance.id, sample),
      output: (line) => this.#reports.output(instance.id, line),
      changed: () => this.#changed(member),
      freed: (outcome) => this.#freed(member, outcome),
      abandoned: (calls) => {
        if (calls > this.#callsMax) this.#recycle(member, `recycled: ${calls} calls that were given up go on in it`);
      },
      health: () => this.#healthChanged(member),
      stopped: (reason, usage) => this.#stopped(member, reason, usage),
    };
    const spare = this.#options.spares?.take(this.#options.confinement);
    const instance: Instance = new Instance({ ...this.#options, load }, events, spare);
    const member = this.members.add(instance, spare !== undefined);
    if (this.#sharedReplySocket !== undefined) this.#sharedOwner ??= instance;
    return member;
  }

  #replySocketOf(): Pick<InstanceOptions["load"], "sharedReplySocket" | "takesOverReplySocket"> {
    const { sharedReplySocket, sandbox } = this.#options;
    if (sharedReplySocket === undefined || this.#sharedOwner !== undefined) return {};
    return { sharedReplySocket, takesOverReplySocket: sandbox.kind === "process" && this.#takesOverReplySocket };
  }

  #changed(member: Member): void {
    this.members.sort();
    const { state } = member.instance;
    if (state === "ready" && !member.served) this.#joined(member);
    this.#events.room();
    if (state === "unresponsive") this.#events.fewer();
  }

  #healthChanged(member: Member): void {
    const { id, ailment } = member.instance;
    this.#reports.health(id, ailment === undefined ? "well" : "failing", ailment ?? "");
    this.members.sort();
    this.#recycleAiling();
    this.#events.room();
  }

  /** Those whose daemons fail their health checks make room for others. */
  #recycleAiling(): void {
    for (const member of this.members.all) {
      const { ailment } = member.instance;
      if (ailment !== undefined && member.served) this.#recycle(member, `its service is not well: ${ailment}`);
    }
  }

  #joined(member: Member): void {
    member.served = true;
    this.#hasExcused = false;
    this.fetches = new Set(member.instance.fetches);
    // From here the path is this pool's own: nobody else's is ever taken.
    this.#takesOverReplySocket = false;
    for (const old of this.members.all) if (old.successor?.member === member) this.#dismiss(old, old.successor.why);
    this.#events.joined();
  }

  #freed(member: Member, outcome: PlaceOutcome): void {
    if (outcome === "sound") this.#deathsInARow = 0;
    if (outcome !== "untold") this.#judge(member, outcome);
    this.#events.room();
    if (member.instance.served >= this.#requestsMax) this.#recycleWhenWorn(member, undefined);
  }

  #judge(member: Member, outcome: Exclude<PlaceOutcome, "untold">): void {
    const before = member.ejection;
    const sound = outcome === "sound";
    const ejection = afterWork(before, sound, sound ? 0 : performance.now());
    if (ejection === before) return;
    member.ejection = ejection;
    this.members.sort();
    if (outcome === "silent" && ejection.times > before.times) member.instance.doubtService();
  }

  /** Replaces an instance that lives: the new one is started first, and the old one leaves when that is ready. */
  #recycle(member: Member, why: string): void {
    if (this.#closing || member.leaving !== undefined || member.successor !== undefined || this.#replacement !== undefined) return;
    const spare = member.instance.open === 0 && this.members.staying > Math.max(1, this.#options.min);
    // Of the configured reply socket there is one: its next owner starts when this one is gone.
    if (spare || member.instance === this.#sharedOwner) return this.#dismiss(member, why);
    const successor = this.#tryAdd();
    if (successor !== undefined) member.successor = { member: successor, why };
  }

  #recycleWhenWorn(member: Member, memoryBytes: number | undefined): void {
    if (!member.served || member.leaving !== undefined || member.successor !== undefined) return;
    const { served, startedMs } = member.instance;
    const why = wornBy({ ageMs: performance.now() - startedMs, requests: served, memoryBytes }, this.#options.recycle ?? {});
    if (why !== undefined) this.#recycle(member, `recycled: ${why}`);
  }

  #stopped(member: Member, reason: string, usage: InstanceUsage): void {
    this.members.remove(member);
    const expected = member.leaving !== undefined || member === this.#first || this.#closing;
    this.#reports.stopped(member.instance.id, expected ? (member.leaving?.why ?? reason) : reason, expected, usage);
    if (this.#sharedOwner === member.instance) this.#sharedOwner = undefined;
    if (member.served && performance.now() - member.instance.startedMs > backOffMs.max) this.#deathsInARow = 0;
    this.#excuse(member);
    if (!expected) this.#replace(reason, member.served);
    // What came while it left waits for another.
    else if (member !== this.#first) this.#events.fewer();
  }

  /** A runner that waited may have died before it was taken: that says nothing about the app, so it is not counted, once. */
  #excuse(member: Member): void {
    if (member.served || this.#hasExcused || !member.begunAhead) return;
    this.#hasExcused = true;
    this.#deathsInARow = Math.max(0, this.#deathsInARow - 1);
  }

  /** An instance is gone: another takes its place, after a while when none comes up. @param served whether it had been ready. */
  #replace(reason: string, served: boolean): void {
    const wait = Math.min(backOffMs.max, backOffMs.first * 2 ** this.#deathsInARow++);
    const none = this.members.awake.length + this.members.frozen.length === 0;
    if (none && !served && this.#deathsInARow > 1) this.#events.none(reason);
    this.#replacement ??= setTimeout(
      () => {
        this.#replacement = undefined;
        if (this.#closing) return;
        this.#recycleAiling();
        const orphaned = this.#sharedReplySocket !== undefined && this.#sharedOwner === undefined;
        if (this.members.all.length === 0 || orphaned) this.#tryAdd();
        else this.#events.fewer();
      },
      this.#deathsInARow === 1 ? 0 : wait,
    );
  }
}

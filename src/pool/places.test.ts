/** Places at daemons: who gets which, what becomes of them, and what a daemon's health does. */
import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import type { LoadedHead } from "../link/messages.ts";
import { confinementOf } from "./pool-trial.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { type TrialRunner, TrialSandbox, type TrialTerms } from "./sandbox-trial.ts";
import type { ConnectionFailure, ConnectionSink, PlaceHandle, PlaceOutcome, PlaceSink, ServicePlace, Upstream } from "./work.ts";

const folder = mkdtempSync(join(tmpdir(), "places-"));
let sandbox: TrialSandbox;
let pool: Pool;
const stopped: string[] = [];
const health: string[] = [];

afterEach(async () => {
  await pool.kill("the test is over");
  stopped.length = health.length = 0;
});
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

interface TrialPool extends Partial<Omit<PoolOptions, "scale">> {
  readonly instances?: number;
  readonly scale?: Partial<PoolOptions["scale"]>;
  readonly terms?: TrialTerms;
}

/** A pool of three daemons, in turns, until told else. */
async function startPool({ instances = 3, scale, terms, ...options }: TrialPool = {}): Promise<void> {
  sandbox = new TrialSandbox(terms);
  const health_ = { everyMs: 10_000, timeoutMs: 1_000, failuresMax: 3 };
  const service = { argv: ["daemon"], wd: "/", env: [], health: health_, startTimeoutMs: 1_000, graceMs: 0 } as const;
  pool = new Pool(
    {
      folder,
      sandbox,
      confinement: confinementOf(folder, { service: true }),
      balance: "round-robin",
      scale: { min: instances, max: instances, idleMs: 60_000, ...scale },
      processors: 2,
      servicePlacesMax: 10_000,
      takesOverReplySocket: false,
      load: { app: "trial", programs: {}, programsMax: 1, graceMs: 0, environment: {}, service },
      ...options,
    },
    {
      sample: () => {},
      output: () => {},
      health: (_instance, state, detail) => void health.push(`${state}: ${detail}`),
      stopped: (_instance, reason, expected) => void stopped.push(`${expected ? "asked" : "died"}: ${reason}`),
    },
  );
  await pool.start();
}

/** A request as the gateway would see it. */
class Request implements PlaceSink {
  readonly words: string[] = [];
  readonly handle: PlaceHandle;
  place: ServicePlace | undefined;

  /** @param avoid instances that have failed it. */
  constructor(...avoid: string[]) {
    this.handle = pool.place(this, avoid);
  }

  get instance(): string {
    return this.place?.instance ?? "";
  }

  placed(place: ServicePlace): void {
    this.words.push("placed");
    this.place = place;
  }
  failed(reason: string, detail: string, advice?: string): void {
    this.words.push(`${reason}: ${detail}${advice === undefined ? "" : `: ${advice}`}`);
  }
  lost(detail: string): void {
    this.words.push(`lost: ${detail}`);
  }
}

/** "A", "B", … by the order in which instances were started. */
function letter(instance: string): string {
  const at = sandbox.runners.findIndex(({ options }) => options.instance === instance);
  return at < 0 ? "?" : String.fromCharCode(65 + at);
}

/** Requests one after the other. */
function turns(count: number, outcome: PlaceOutcome = "sound"): string {
  const letters = Array.from({ length: count }, () => {
    const request = new Request();
    const taken = letter(request.instance);
    request.place?.release(outcome);
    return taken;
  });
  return letters.join("");
}

function runnerAt(at: number): TrialRunner {
  const runner = sandbox.runners[at];
  if (runner === undefined) throw new Error(`No runner ${at}`);
  return runner;
}

/** How far apart the instances are that took most and fewest of some requests. */
function spread(requests: readonly Request[]): number {
  const counts = new Map<string, number>();
  for (const { instance } of requests) counts.set(instance, (counts.get(instance) ?? 0) + 1);
  return Math.max(...counts.values()) - Math.min(...counts.values());
}

describe("places in turns", () => {
  test("go to each instance strictly, from the first request on", async () => {
    await startPool();
    expect(turns(9)).toBe("ABCABCABC");
  });

  test("are even among ten thousand at once, and stay so as they are given back", async () => {
    await startPool();
    const requests = Array.from({ length: 10_000 }, () => new Request());
    expect(requests.every(({ words }) => words.join() === "placed")).toBe(true);
    expect(spread(requests)).toBe(1);
    for (const { place } of requests) place?.release("sound");
    const after = Array.from({ length: 3_000 }, () => new Request());
    expect(spread(after)).toBe(0);
  });

  test("are even when there is room for some alone: the others wait in the order they came", async () => {
    await startPool({ servicePlacesMax: 100 });
    const requests = Array.from({ length: 10_000 }, () => new Request());
    const order: number[] = [];
    for (const [at, request] of requests.entries()) {
      // Whoever is first in the queue has been placed by the time its turn is.
      if (request.place !== undefined) order.push(at);
      request.place?.release("sound");
    }
    expect(order).toHaveLength(10_000);
    expect(spread(requests)).toBeLessThanOrEqual(1);
  });

  test("stay even when an instance is killed and replaced", async () => {
    await startPool();
    expect(turns(4)).toBe("ABCA");
    runnerAt(1).die();
    await eventually("it is replaced", () => sandbox.runners.length === 4 && turns(1) === "D");
    // Whose turn it was is next, and every one of three is once more.
    expect(turns(6)).toBe("ACDACD");
  });

  test("leave out an instance that fails five in a row, and stay even among the others", async () => {
    await startPool();
    for (let number = 0; number < 15; number++) {
      const { place, instance } = new Request();
      place?.release(letter(instance) === "B" ? "failed" : "sound");
    }
    expect(turns(6)).toBe("ACACAC");
    await eventually("it is back", () => turns(3).includes("B"));
    expect(turns(3).split("").toSorted().join("")).toBe("ABC");
  });
});

test("places by least-requests go to whoever has fewest", async () => {
  await startPool({ balance: "least-requests" });
  const [first, second, third] = [new Request(), new Request(), new Request()];
  second.place?.release("sound");
  const next = new Request();
  expect(next.instance).toBe(second.instance);
  expect(new Set([first.instance, second.instance, third.instance]).size).toBe(3);
});

describe("a place", () => {
  test("tells where the daemon is, by the same object for each", async () => {
    await startPool({ instances: 1, terms: { loaded: { ok: true, servicePort: 4321 } } });
    const [one, other] = [new Request(), new Request()];
    expect(one.place?.upstream.address).toEqual({ host: "127.0.0.1", port: 4321 });
    expect(one.place?.upstream).toBe(other.place?.upstream as Upstream);
    expect(one.place?.upstream.instance).toBe(one.instance);
  });

  test("of a container is at its own address; of one without, nowhere but on the link", async () => {
    const confined = { inside: (path: string) => path, runFolder: "/run/urocket", ownNetwork: true };
    await startPool({ instances: 1, terms: { kind: "container", confined: { ...confined, address: "10.201.0.7" } } });
    expect(new Request().place?.upstream.address).toEqual({ host: "10.201.0.7", port: 1 });
    await pool.kill("another one");
    await startPool({ instances: 1, terms: { kind: "container", confined } });
    expect(new Request().place?.upstream.address).toBeUndefined();
  });

  test("is lost with its instance, once, and its release says nothing any more", async () => {
    await startPool({ instances: 1 });
    const [given, held] = [new Request(), new Request()];
    given.place?.release("sound");
    runnerAt(0).die();
    await eventually("it is lost", () => held.words.length === 2);
    expect(held.words[1]).toBe("lost: The app's instance ended");
    held.place?.release("failed");
    expect(given.words).toEqual(["placed"]);
    await eventually("another serves", () => turns(1) === "B");
  });

  test("may be given back as soon as it is found, and the next goes on", async () => {
    await startPool({ instances: 1, servicePlacesMax: 1 });
    const words: string[] = [];
    const sink = { placed: (place: ServicePlace) => (words.push("placed"), place.release("sound")), failed: () => {}, lost: () => {} };
    for (let number = 0; number < 3; number++) pool.place(sink);
    expect(words).toEqual(["placed", "placed", "placed"]);
  });

  test("that waits can be withdrawn, and is told nothing more", async () => {
    await startPool({ instances: 1, servicePlacesMax: 1 });
    const first = new Request();
    const [second, third] = [new Request(), new Request()];
    expect([second.words, third.words]).toEqual([[], []]);
    second.handle.withdraw();
    first.place?.release("sound");
    expect([second.words, third.words]).toEqual([[], ["placed"]]);
    // One that is held is released, not withdrawn.
    third.handle.withdraw();
    expect(new Request().words).toEqual([]);
  });

  test("is refused when the app is being stopped, also one that waits", async () => {
    await startPool({ instances: 1, servicePlacesMax: 1 });
    const held = new Request();
    const waiting = new Request();
    const drained = pool.drain();
    expect(waiting.words).toEqual(["no-instance: The app is being stopped"]);
    expect(new Request().words).toEqual(["no-instance: The app is being stopped"]);
    expect(held.words).toEqual(["placed"]);
    held.place?.release("sound");
    await drained;
    expect(runnerAt(0).frames.at(-1)).toBe("drain 0");
  });
});

describe("a request that an instance has failed", () => {
  test("goes to another", async () => {
    await startPool();
    const failed = new Request();
    failed.place?.release("failed");
    expect(Array.from({ length: 6 }, () => letter(new Request(failed.instance).instance)).join("")).toBe("BCBCBC");
  });

  test("goes to the same one when there is no other for a while, and holds nobody up", async () => {
    await startPool({ instances: 1 });
    const failed = new Request();
    const again = new Request(failed.instance);
    expect(again.words).toEqual([]);
    expect(new Request().words).toEqual(["placed"]);
    await eventually("it is tried again", () => again.words.length > 0);
    expect([again.instance, again.words.join()]).toEqual([failed.instance, "placed"]);
  });

  test("does not wait behind one that waits for another instance than it may go to", async () => {
    await startPool({ instances: 2, servicePlacesMax: 1 });
    const [one, other] = [new Request(), new Request()];
    const both = [one.instance, other.instance];
    // Both instances are busy; the first of those that wait has been failed by both.
    const failedByBoth = new Request(...both);
    const failedByOne = new Request(one.instance);
    other.place?.release("sound");
    expect([failedByBoth.words, failedByOne.words, failedByOne.instance]).toEqual([[], ["placed"], other.instance]);
  });

  test("waits for the one that replaces a dead instance", async () => {
    await startPool({ instances: 1 });
    const failed = new Request();
    const again = new Request(failed.instance);
    runnerAt(0).die();
    await eventually("it is served", () => again.words.length > 0);
    expect([letter(again.instance), again.words.join()]).toEqual(["B", "placed"]);
    expect(failed.words).toEqual(["placed", "lost: The app's instance ended"]);
  });
});

test("only requests on an instance that dies are lost, and those that try again are served by others", async () => {
  await startPool({ servicePlacesMax: 40 });
  let seed = 7;
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648) % below;
  let [served, lost, kills] = [0, 0, 0];
  const failures: string[] = [];
  const request = (number: number): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const attempt = (avoid?: string): void => {
      let rounds = random(4);
      let isLost = false;
      const answer = (place: ServicePlace): void => {
        if (isLost) return;
        if (rounds-- > 0) return void setImmediate(answer, place);
        place.release("sound");
        served++;
        resolve();
      };
      const sink: PlaceSink = {
        placed: (place) => {
          if (number % 500 === 499 && avoid === undefined) {
            kills++;
            sandbox.runner(place.instance).die();
          }
          avoid = place.instance;
          setImmediate(answer, place);
        },
        failed: (reason, detail) => {
          failures.push(`${reason}: ${detail}`);
          resolve();
        },
        lost: () => {
          lost++;
          isLost = true;
          attempt(avoid);
        },
      };
      pool.place(sink, avoid === undefined ? [] : [avoid]);
    };
    attempt();
    return promise;
  };
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < 20_000) await request(next++);
  };
  await Promise.all(Array.from({ length: 100 }, client));
  expect(failures).toEqual([]);
  expect(served).toBe(20_000);
  expect(kills).toBeGreaterThanOrEqual(40);
  expect(lost).toBeGreaterThan(0);
}, 60_000);

describe("instances with a daemon", () => {
  test("are there in the number that is kept when their pool has started", async () => {
    await startPool({ instances: 3 });
    expect(sandbox.runners.map(({ load }) => load?.service?.argv)).toEqual([["daemon"], ["daemon"], ["daemon"]]);
  });

  test("start for requests that find no room, as many as these need", async () => {
    await startPool({ instances: 1, servicePlacesMax: 2, scale: { min: 0, max: 4 } });
    const requests = Array.from({ length: 8 }, () => new Request());
    expect(requests.filter(({ place }) => place !== undefined)).toHaveLength(2);
    await eventually("all are placed", () => requests.every(({ place }) => place !== undefined));
    expect(sandbox.runners).toHaveLength(4);
  });

  test("start when requests use most of the room for a while", async () => {
    await startPool({ instances: 1, servicePlacesMax: 10, scale: { min: 1, max: 2 } });
    for (let number = 0; number < 8; number++) new Request();
    await eventually("a second one", () => sandbox.runners.length === 2);
  });

  test("are never frozen, and end when they are idle for long enough and not kept", async () => {
    await startPool({ instances: 1, servicePlacesMax: 1, scale: { min: 1, max: 2, idleMs: 20 } });
    const [one, other] = [new Request(), new Request()];
    await eventually("there are two", () => other.place !== undefined);
    one.place?.release("sound");
    other.place?.release("sound");
    await eventually("one has ended", () => stopped.length === 1);
    expect(stopped).toEqual(["asked: drained"]);
    expect(sandbox.runners.flatMap(({ asked }) => asked)).not.toContain("pause");
  });

  test("that leave keep their daemon until the last place is given back", async () => {
    await startPool({ instances: 1 });
    const held = new Request();
    const drained = pool.drain();
    expect(runnerAt(0).frames).toEqual(["load 0"]);
    held.place?.release("sound");
    await drained;
    expect(runnerAt(0).asked).toEqual(["confine", "resume", "remove"]);
    expect(stopped).toEqual(["asked: drained"]);
  });

  test("whose daemon never becomes ready fail the start with its words", async () => {
    const message = "its service exited with status 1 before it was ready; its last words: no such database";
    const start = startPool({ instances: 1, terms: { loaded: { ok: false, message } } });
    await expect(start).rejects.toThrow(message);
    expect(sandbox.runners[0]?.asked.at(-1)).toBe("remove");
  });

  test("whose daemon ends are ended, and its last words are the reason", async () => {
    await startPool({ instances: 1 });
    const held = new Request();
    runnerAt(0).tell({ state: "ended", detail: "exited with status 3; its last words: no memory left" });
    await eventually("another serves", () => turns(1) === "B");
    expect(stopped).toEqual(["died: its service exited with status 3; its last words: no memory left"]);
    expect(held.words[1]).toBe("lost: The app's instance ended: its service exited with status 3; its last words: no memory left");
  });
});

describe("an instance whose daemon says nothing to five requests in a row", () => {
  const doubts = (at: number): number => runnerAt(at).frames.filter((frame) => frame === "doubt 0").length;

  test("is left out and asked for a sign of life, and replaced when it gives none", async () => {
    await startPool({ instances: 2 });
    for (let number = 0; number < 10; number++) {
      const { place, instance } = new Request();
      place?.release(letter(instance) === "A" ? "silent" : "sound");
    }
    expect(turns(4)).toBe("BBBB");
    await eventually("it is asked", () => doubts(0) === 1);
    expect(doubts(1)).toBe(0);
    runnerAt(0).tell({ state: "failing", detail: "OPTIONS * got no answer within 2s" });
    await eventually("it is replaced", () => stopped.length === 1);
    expect(stopped).toEqual(["asked: its service is not well: OPTIONS * got no answer within 2s"]);
    expect(turns(2).split("").toSorted().join("")).toBe("BC");
  });

  test("is judged by what its daemon said, and by no client that left", async () => {
    await startPool({ instances: 1 });
    turns(4, "silent");
    turns(9, "untold");
    turns(1, "silent");
    await eventually("it is asked", () => doubts(0) === 1);
    turns(4, "silent");
    turns(1);
    turns(4, "silent");
    // Failures of other kinds are for its health checks to find.
    turns(5, "failed");
    turns(1);
    turns(5, "failed");
    const pings = runnerAt(0).frames.length;
    turns(5, "silent");
    await eventually("it is asked again", () => runnerAt(0).frames.slice(pings).includes("doubt 0"));
    expect(doubts(0)).toBe(2);
  });
});

describe("an instance whose daemon fails its health checks", () => {
  const failing = { state: "failing", detail: "GET /healthz answered 500" } as const;

  test("gets nothing new, is replaced by one that starts first, and leaves when its last request is over", async () => {
    await startPool();
    const held = new Request();
    expect(letter(held.instance)).toBe("A");
    runnerAt(0).tell(failing);
    await eventually("it is out of rotation", () => health.length === 1);
    await eventually("another takes its place", () => turns(3).includes("D"));
    expect(turns(9)).not.toContain("A");
    expect(stopped).toEqual([]);
    held.place?.release("sound");
    await eventually("it is gone", () => stopped.length === 1);
    expect([health, stopped]).toEqual([
      ["failing: GET /healthz answered 500"],
      ["asked: its service is not well: GET /healthz answered 500"],
    ]);
    expect(sandbox.runners).toHaveLength(4);
  });

  test("serves all the same while there is no other", async () => {
    await startPool({ instances: 1, terms: {} });
    sandbox.terms = { loaded: { ok: false, message: "cannot start" } };
    runnerAt(0).tell(failing);
    await eventually("another was tried", () => stopped.length > 0);
    expect(turns(2)).toBe("AA");
    sandbox.terms = {};
    await eventually("another serves at last", () => !turns(1).includes("A"));
    await eventually("it is gone", () => stopped.some((reason) => reason.startsWith("asked")));
  });

  test("serves again when it is well before another serves, which takes its place all the same", async () => {
    await startPool();
    const loaded = Promise.withResolvers<LoadedHead>();
    sandbox.terms = { loaded: loaded.promise };
    runnerAt(0).tell(failing);
    runnerAt(0).tell({ state: "well" });
    await eventually("both are told", () => health.length === 2);
    expect(turns(3)).toContain("A");
    loaded.resolve({ ok: true, servicePort: 1 });
    expect(health).toEqual(["failing: GET /healthz answered 500", "well: "]);
    await eventually("it is replaced", () => stopped.length === 1);
    expect(turns(3).split("").toSorted().join("")).toBe("BCD");
  });
});

describe("a connection to a daemon over the link", () => {
  class Bytes implements ConnectionSink {
    text = "";
    ended = false;
    readonly over = Promise.withResolvers<ConnectionFailure | undefined>();
    taken(): void {}
    data(chunk: Uint8Array, last: boolean): void {
      this.text += Buffer.from(chunk).toString();
      this.ended ||= last;
    }
    writable(): void {}
    output(): void {}
    closed(failure?: ConnectionFailure): void {
      this.over.resolve(failure);
    }
  }

  const confined = { inside: (path: string) => path, runFolder: "/run/urocket", ownNetwork: true };
  const terms = { kind: "container", confined } as const;

  test("carries bytes both ways, and is over when both sides have ended", async () => {
    await startPool({ instances: 1, terms });
    const sink = new Bytes();
    const connection = new Request().place?.upstream.connect(sink);
    connection?.write(Buffer.from("hello"), false);
    await eventually("it is answered", () => sink.text === "hello");
    connection?.write(Buffer.from(" you"), true);
    expect(await sink.over.promise).toBeUndefined();
    expect([sink.text, sink.ended]).toEqual(["hello you", true]);
    expect(runnerAt(0).frames).toEqual(["load 0", "connect 1", "data 1", "data 1"]);
  });

  test("is no work: it keeps its instance from nothing, and ends with it", async () => {
    await startPool({ instances: 1, terms });
    const request = new Request();
    const sink = new Bytes();
    request.place?.upstream.connect(sink);
    request.place?.release("sound");
    await pool.drain();
    expect((await sink.over.promise)?.reason).toBe("runner-died");
    const late = new Bytes();
    request.place?.upstream.connect(late);
    expect((await late.over.promise)?.reason).toBe("runner-died");
  });
});

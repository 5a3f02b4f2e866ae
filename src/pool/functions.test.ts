/** Pools of real runners with functions in them. */
import { afterEach, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { InstanceFailure } from "./instance.ts";
import { processState } from "../sandbox/process-figures.ts";
import { PoolTrial, type TrialCall, type TrialOptions } from "./pool-trial.ts";

let trial: PoolTrial;
afterEach(() => trial.close());

async function startTrial(options: TrialOptions): Promise<PoolTrial> {
  trial = new PoolTrial(options);
  await trial.pool.start();
  return trial;
}

const pid = `() => ({ pid: process.pid })`;
const hello = `() => "hello"`;
const spin = `() => { for (;;); }`;
const never = `() => new Promise(() => {})`;
const exit = `() => process.exit(7)`;
const gate = { never, hello, pid };

async function pidOf(name = "pid"): Promise<number> {
  const { body } = await trial.call(name).over.promise;
  return (JSON.parse(body) as { pid: number }).pid;
}

describe("a call", () => {
  test("is answered, and its end is the end of its reply", async () => {
    await startTrial({ functions: { hello } });
    const call = await trial.call("hello").over.promise;
    expect(call.words).toEqual(["taken", "reply", "ended"]);
    expect(call.body).toBe("hello");
    expect(call.instance).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("that does not fit into a frame is refused, and the instance goes on", async () => {
    await startTrial({ functions: { hello } });
    const long = trial.call("hello");
    await long.over.promise;
    const head = { call: 0, id: "1", method: "GET", path: `/${'"'.repeat(40_000)}`, query: "", host: "", headers: [], deadline: 0 };
    const words = new (long.constructor as new () => typeof long)();
    trial.pool.call(head, new Uint8Array(0), true, words);
    expect(words.words).toEqual(["taken", "failed: bad-request", "ended"]);
    expect((await trial.call("hello").over.promise).status).toBe(200);
  });

  test("carries a body of many frames both ways, no more at a time than its windows hold", async () => {
    await startTrial({ functions: { echo: `({ request }) => new Response(request.body)` } });
    const call = trial.call("echo", { last: false });
    const chunk = Buffer.alloc(100_000, "x");
    let sent = 0;
    await new Promise<void>((resolve) => {
      call.onWritable = () => {
        while (sent < 50) if (!(call.handle?.write(chunk, ++sent === 50) ?? true)) return;
        resolve();
      };
      call.onWritable();
    });
    await call.over.promise;
    expect(call.bytes).toBe(5_000_000);
  });

  test("is over for the host as soon as it is reset, and its signal aborts", async () => {
    await startTrial({ functions: { wait: `(_, ctx) => new Promise(() => ctx.signal.onabort = () => console.log("aborted"))`, hello } });
    const call = trial.call("wait");
    await (
      await trial.call("hello")
    ).over.promise;
    call.handle?.reset("client-left");
    expect(call.words).toEqual(["taken", "ended"]);
    await eventually("it is aborted", () => trial.stray.some(({ text }) => text === "aborted"));
  });

  test("of a function that ends its process fails alone, and another instance takes over", async () => {
    await startTrial({ functions: { exit, hello } });
    const call = await trial.call("exit").over.promise;
    expect(call.failure).toBe("runner-died");
    expect((await trial.call("hello").over.promise).status).toBe(200);
    expect(trial.stopped).toEqual(["died: exited with status 7"]);
  });
});

test("an instance that dies by itself as soon as it serves is started less and less often", async () => {
  trial = new PoolTrial({ functions: { hello: "() => 1" }, prelude: "setTimeout(() => process.exit(3), 30);" });
  await trial.pool.start();
  await eventually("four have ended", () => trial.stopped.length >= 4);
  // 200 ms of waiting before the third starts, 400 before the fourth.
  const [, second = 0, third = 0, fourth = 0] = trial.stoppedAt;
  expect(third - second).toBeGreaterThan(200);
  expect(fourth - third).toBeGreaterThan(400);
});

test("functions that cannot be loaded are told once, with the last words, and nothing is left", async () => {
  trial = new PoolTrial({ functions: { hello }, prelude: `process.stderr.write("no such thing"); process.exit(3);` });
  const started = await trial.pool.start().catch((error: Error) => error);
  expect(started).toBeInstanceOf(InstanceFailure);
  expect(started?.message).toMatch(/^exited with status 3/);
  expect(trial.stopped).toHaveLength(1);
  expect(trial.stopped[0]).toStartWith("asked: exited with status 3");
  const late = trial.call("hello");
  expect(late.words).toEqual(["failed: no-instance", "ended"]);
});

describe("a client of a listener", () => {
  const listener = `(line) => "got " + line`;

  test("gets its answers in order, and is over when its half-close was answered", async () => {
    await startTrial({ functions: { hello }, listener });
    const client = trial.connect();
    client.say("a\nb\n");
    client.say("c\n", true);
    await client.over.promise;
    expect(client.answers).toBe("got a\ngot b\ngot c\n");
    expect(client.failure).toBeUndefined();
  });

  test("is told when its instance dies", async () => {
    await startTrial({ functions: { exit }, listener });
    const client = trial.connect();
    client.say("a\n");
    await eventually("it is answered", () => client.answers !== "");
    trial.call("exit");
    await client.over.promise;
    expect(client.failure?.reason).toBe("runner-died");
  });
});

describe("calls that find no room", () => {
  test("wait for it in the order they came", async () => {
    await startTrial({ functions: { slow: `async () => (await Bun.sleep(5), "done")` }, callsMax: 1 });
    const order: number[] = [];
    const calls = Array.from({ length: 10 }, (_, number) => trial.call("slow").over.promise.then(() => order.push(number)));
    await Promise.all(calls);
    expect(order).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  test("can be written to and given up while they wait", async () => {
    await startTrial({ functions: { never, echo: `({ request }) => request.text()` }, callsMax: 1 });
    const first = trial.call("never");
    const waiting = trial.call("echo", { body: "a", last: false });
    const givenUp = trial.call("echo");
    expect(waiting.handle?.write(Buffer.from("b"), false)).toBe(false);
    givenUp.handle?.reset("client-left");
    expect(givenUp.words).toEqual(["ended"]);
    const writable = new Promise<void>((resolve) => (waiting.onWritable = resolve));
    first.handle?.reset("client-left");
    await writable;
    waiting.handle?.write(Buffer.from("c"), true);
    expect((await waiting.over.promise).body).toBe("abc");
  });

  test("start as many instances as they need, and no more than the maximum", async () => {
    await startTrial({
      prelude: `import { existsSync } from "node:fs";`,
      functions: { slow: `async () => { while (!existsSync("go")) await Bun.sleep(5); return "done"; }` },
      callsMax: 1,
      scale: { min: 0, max: 8, idleMs: 60_000 },
    });
    const calls = Array.from({ length: 24 }, () => trial.call("slow"));
    await eventually("eight run at once", () => new Set(calls.map(({ instance }) => instance)).size >= 9);
    await Bun.write(join(trial.folder, "go"), "");
    await Promise.all(calls.map((call) => call.over.promise));
    expect(new Set(calls.map(({ instance }) => instance)).size).toBe(8);
    expect(calls.every(({ words }) => words.join() === "taken,reply,ended")).toBe(true);
  });

  test("survive the death of the instance they waited for", async () => {
    await startTrial({ functions: { exit: `async () => (await Bun.sleep(20), process.exit(1))`, hello }, callsMax: 1 });
    const dies = trial.call("exit");
    const waiting = [trial.call("hello"), trial.call("hello")];
    expect((await dies.over.promise).failure).toBe("runner-died");
    for (const call of waiting) expect((await call.over.promise).words).toEqual(["taken", "reply", "ended"]);
  });
});

test("no call is lost or doubled while instances are killed at random", async () => {
  const prelude = `import { appendFileSync } from "node:fs";`;
  const note = `async ({ request }) => { appendFileSync("calls", (await request.text()) + "\\n"); await Bun.sleep(1); return { pid: process.pid }; }`;
  await startTrial({ functions: { note }, prelude, callsMax: 4, scale: { min: 0, max: 3, idleMs: 60_000 } });
  let kills = 0;
  let inFlight = 0;
  const calls: TrialCall[] = [];
  const client = async (): Promise<void> => {
    while (calls.length < 3_000) {
      const number = calls.length;
      const call = trial.call("note", { body: `${number}` });
      calls.push(call);
      inFlight++;
      await call.over.promise;
      inFlight--;
      if (number % 400 !== 399 || call.status === undefined) continue;
      kills++;
      process.kill((JSON.parse(call.body) as { pid: number }).pid, "SIGKILL");
    }
  };
  await Promise.all(Array.from({ length: 16 }, client));
  const failed = calls.filter(({ failure }) => failure !== undefined);
  expect(calls.every(({ words }) => ["taken,reply,ended", "taken,failed: runner-died,ended"].includes(words.join()))).toBe(true);
  expect(inFlight).toBe(0);
  expect(kills).toBeGreaterThan(3);
  // Only those that were on the instance that died.
  expect(failed.length).toBeLessThanOrEqual(kills * 4);
  const reached = (await Bun.file(join(trial.folder, "calls")).text()).trim().split("\n");
  expect(new Set(reached).size).toBe(reached.length);
  const answered = calls.flatMap(({ status }, number) => (status === 200 ? [`${number}`] : []));
  expect(answered.filter((number) => !reached.includes(number))).toEqual([]);
});

/** Waits as long as an instance that nothing keeps takes to be frozen and ended. */
async function idleInstanceEnds(idleMs: number): Promise<void> {
  const other = new PoolTrial({ functions: { pid }, scale: { min: 0, max: 1, idleMs } });
  try {
    await other.pool.start();
    await other.call("pid").over.promise;
    await eventually("an idle instance is ended", () => other.stopped.length > 0);
  } finally {
    await other.close();
  }
}

describe("an instance without work", () => {
  test("is stopped in place, continued for the next call, and ended in the end", async () => {
    await startTrial({ functions: { pid }, scale: { min: 0, max: 1, idleMs: 2_000 } });
    const before = await pidOf();
    await eventually("it is frozen", () => processState(before) === "T");
    expect(await pidOf()).toBe(before);
    expect(processState(before)).not.toBe("T");
    await eventually("it is ended", () => trial.stopped.length > 0);
    expect(trial.stopped).toEqual(["asked: drained"]);
    expect(await pidOf()).not.toBe(before);
  });

  test("is neither stopped nor ended when it is kept", async () => {
    await startTrial({ functions: { pid }, scale: { min: 1, max: 2, idleMs: 20 } });
    const before = await pidOf();
    await idleInstanceEnds(20);
    expect(processState(before)).not.toBe("T");
    expect(await pidOf()).toBe(before);
  });

  test("is not stopped while a listener's client is there", async () => {
    await startTrial({ functions: { pid }, listener: `() => "x"`, scale: { min: 0, max: 1, idleMs: 50 } });
    const client = trial.connect();
    client.say("a\n");
    const before = await pidOf();
    await idleInstanceEnds(50);
    expect(processState(before)).not.toBe("T");
    client.say("b\n", true);
    await client.over.promise;
    expect(client.answers).toBe("x\nx\n");
  });
});

describe("an instance that does not answer", () => {
  test("gets no new work, is ended when its call is past its deadline, and another serves meanwhile", async () => {
    await startTrial({ functions: { spin, hello }, scale: { min: 0, max: 1, idleMs: 60_000 } });
    const stuck = trial.call("spin");
    // Sent to the same instance, which has room: it is as stuck.
    const beside = trial.call("hello");
    await eventually("another serves", async () => {
      const call = trial.call("hello");
      const answered = await Promise.race([call.over.promise.then(() => true), Bun.sleep(300).then(() => false)]);
      return answered && call.status === 200 && call.instance !== stuck.instance;
    });
    expect(trial.stopped).toEqual([]);
    stuck.handle?.reset("deadline");
    expect(stuck.words).toEqual(["taken", "ended"]);
    expect((await beside.over.promise).failure).toBe("runner-died");
    await eventually("it is ended", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toStartWith("died: did not answer");
  });

  test("takes work again when it answers", async () => {
    await startTrial({
      functions: { block: `() => { Bun.sleepSync(1800); return "done"; }`, hello },
      scale: { min: 0, max: 1, idleMs: 60_000 },
    });
    const call = trial.call("block");
    expect((await call.over.promise).status).toBe(200);
    expect((await trial.call("hello").over.promise).status).toBe(200);
    expect(trial.stopped).toEqual([]);
  });

  test("does not hold up the end of its pool", async () => {
    await startTrial({ functions: { spin, hello } });
    const call = trial.call("spin");
    await eventually("another serves", async () => {
      const other = trial.call("hello");
      await Promise.race([other.over.promise, Bun.sleep(200)]);
      return other.status === 200 && other.instance !== call.instance;
    });
    call.handle?.reset("deadline");
    const began = performance.now();
    await trial.pool.drain();
    // Given its grace it would be 5 s.
    expect(performance.now() - began).toBeLessThan(4_000);
  });

  test("and has nothing left to do is ended", async () => {
    await startTrial({ functions: { spin, hello } });
    trial.call("spin").handle?.reset("client-left");
    await eventually("it is ended", () => trial.stopped.length === 1);
  });
});

describe("an instance on which calls fail in a row", () => {
  const prelude = `import { openSync } from "node:fs";
    let bad = false;
    try { openSync("bad", "wx"); bad = true; } catch {}`;
  const work = `(_, ctx) => { if (!bad) return "done"; ctx.log.info("stuck"); return new Promise(() => {}); }`;

  /** Whether it was answered; one that says that it never will be is given up. */
  async function answered(): Promise<boolean> {
    const call = trial.call("work");
    await eventually("it is answered, or stuck", () => call.status !== undefined || call.logged.includes("stuck"));
    call.handle?.reset("deadline");
    return call.status === 200;
  }

  test("gets none for a while", async () => {
    await startTrial({ functions: { work }, prelude, scale: { min: 2, max: 2, idleMs: 60_000 }, balance: "round-robin" });
    await eventually("both serve", async () => {
      const two = [trial.call("work"), trial.call("work")];
      await eventually("both are given out", () => two.every(({ instance }) => instance !== undefined));
      for (const call of two) call.handle?.reset("client-left");
      return two[0]?.instance !== two[1]?.instance;
    });
    let lost = 0;
    for (let round = 0; round < 40; round++) if (!(await answered())) lost++;
    expect(lost).toBeLessThanOrEqual(6);
    expect(lost).toBeGreaterThanOrEqual(5);
    expect(trial.stopped).toEqual([]);
  });

  test("gets them all the same when it is the last one", async () => {
    await startTrial({ functions: { work }, prelude });
    for (let round = 0; round < 7; round++) expect(await answered()).toBe(false);
  });
});

describe("recycling", () => {
  test("starts a fresh instance before the worn one leaves, and loses no call", async () => {
    await startTrial({ functions: gate, recycle: { requests: 20 }, scale: { min: 1, max: 1, idleMs: 60_000 } });
    const pids = new Set<number>();
    await eventually("three instances have served", async () => {
      pids.add(await pidOf());
      return pids.size >= 3;
    });
    expect(trial.stopped.length).toBeGreaterThanOrEqual(1);
    for (const reason of trial.stopped) expect(reason).toMatch(/^asked: recycled: it had served \d+ requests/);
  });

  test("replaces an instance in which calls that were given up go on", async () => {
    await startTrial({ functions: gate, callsMax: 2, scale: { min: 0, max: 1, idleMs: 60_000 } });
    const before = await pidOf();
    for (let round = 0; round < 4; round++) {
      const call = trial.call("never");
      await eventually("it is taken", () => call.instance !== undefined);
      call.handle?.reset("client-left");
    }
    await eventually("it is replaced", async () => (await pidOf()) !== before);
    expect(trial.stopped[0] ?? "").toMatch(/^(asked: recycled: \d calls that were given up|$)/);
  });
});

/** What functions may do to their instance, and what it costs whom. */
import { describe, expect, test } from "bun:test";
import { abandonedAfterMs } from "./abandoned-calls.ts";
import { FunctionTrial } from "./function-trial.ts";

const fine = "export const fine = () => 'fine';";

describe("an instance lives on, and says so in the log, when a function", () => {
  test("throws out of a timer: its call fails, no other", async () => {
    await using trial = await FunctionTrial.open(`${fine}
      export const waits = () => new Promise((resolve) => { globalThis.finish = resolve; });
      export const timer = () => new Promise(() => { setTimeout(() => { throw new Error("out of a timer"); }); });
      export const finish = () => { globalThis.finish("waited"); };`);
    const waits = trial.call(1);
    expect((await trial.answer(2)).resetHead).toEqual({ reason: "function-failed", detail: "The function timer threw" });
    expect(trial.logs.at(-1)).toMatchObject({ level: "error", operation: "GET /timer" });
    expect(trial.logs.at(-1)?.text).toContain("out of a timer");
    await trial.answer(3);
    await waits.over.promise;
    expect(waits.text).toBe("waited");
  });

  test("throws out of a timer after its answer", async () => {
    await using trial = await FunctionTrial.open(`${fine}
      export const afterwards = () => { setTimeout(() => { throw new Error("too late"); }); return 1; };`);
    const heard = await trial.answer(1);
    await trial.until(() => trial.logs.length > 0);
    expect(trial.logs[0]).toMatchObject({
      level: "error",
      id: `id-${heard.number}`,
      text: expect.stringMatching(/^Uncaught exception: Error: too late/),
    });
    expect((await trial.answer(0)).text).toBe("fine");
  });

  test("rejects a promise that nobody waits for", async () => {
    await using trial = await FunctionTrial.open(`${fine}
      export const floating = async () => { void Promise.reject(new Error("nobody's")); await null; return "answered"; };`);
    expect((await trial.answer(1)).text).toBe("answered");
    await trial.until(() => trial.logs.length > 0);
    expect(trial.logs[0]).toMatchObject({ level: "error", text: expect.stringMatching(/^Unhandled rejection: Error: nobody's/) });
    expect((await trial.answer(0)).text).toBe("fine");
  });

  test("throws when its signal aborts", async () => {
    await using trial = await FunctionTrial.open(`${fine}
      export const listens = ({}, { signal }) => new Promise(() => { signal.onabort = () => { throw new Error("in a listener"); }; });`);
    const heard = trial.call(1);
    await trial.answer(0);
    trial.reset(heard);
    await trial.until(() => trial.logs.some(({ text }) => text.includes("in a listener")));
    expect((await trial.answer(0)).text).toBe("fine");
  });

  test("is called more often at once than it may", async () => {
    await using trial = await FunctionTrial.open({
      files: { "functions.ts": "export const waits = () => new Promise((resolve) => setTimeout(resolve, 20));" },
      functions: { callsMax: 2 },
    });
    const [first, second, third] = [trial.call(0), trial.call(0), await trial.answer(0)];
    expect(third.resetHead).toEqual({ reason: "overloaded", detail: "2 calls are open already" });
    await Promise.all([first.over.promise, second.over.promise]);
    expect((await trial.answer(0)).head?.status).toBe(204);
  });

  test("is called by a number that it does not have", async () => {
    await using trial = await FunctionTrial.open(fine);
    expect((await trial.answer(7)).resetHead?.detail).toBe("This instance has no function 7");
    expect((await trial.answer(0)).text).toBe("fine");
  });
});

test("calls that do not end with their deadlines are told as abandoned, and as gone when they end", async () => {
  await using trial = await FunctionTrial.open(`
    const waiting = [];
    export const never = () => new Promise((resolve) => waiting.push(resolve));
    export const finish = () => { for (const resolve of waiting.splice(0)) resolve(); };
    export const polite = ({}, { signal }) => new Promise((_, reject) => { signal.onabort = () => reject(signal.reason); });`);
  const [one, two, polite] = [trial.call(0), trial.call(0), trial.call(2)];
  for (const heard of [one, two, polite]) trial.reset(heard, "deadline");
  const since = performance.now();
  await trial.until(() => trial.abandoned.length > 0);
  expect(performance.now() - since).toBeGreaterThanOrEqual(abandonedAfterMs - 10);
  expect(trial.abandoned).toEqual([2]);
  await trial.answer(1);
  await trial.until(() => trial.abandoned.at(-1) === 0);
  expect(one.head).toBeUndefined();
  // A function that throws what its signal aborted with has done as it should.
  expect(trial.logs).toEqual([]);
});

test("a function that ends its process costs the instance, and the log has who did it", async () => {
  await using trial = await FunctionTrial.open("export const exits = () => { console.log('bye'); process.exit(3); };");
  trial.call(0);
  expect(await trial.exited()).toBe(3);
  await trial.gone.promise;
  expect(trial.logs.map(({ text, id }) => [id, text])).toEqual([
    ["id-1", "bye"],
    ["id-1", "A function ended the process, with status 3: the instance ends with it"],
  ]);
});

test("a function that kills its process costs the instance", async () => {
  await using trial = await FunctionTrial.open("export const kills = () => { process.kill(process.pid, 'SIGKILL'); };");
  trial.call(0);
  expect(await trial.exited()).toBe("SIGKILL");
});

test("a runner ends when its host is gone, though functions have timers and calls", async () => {
  await using trial = await FunctionTrial.open("setInterval(() => {}, 1000); export const waits = () => new Promise(() => {});");
  trial.call(0);
  trial.channel.terminate("the host is gone");
  expect(await trial.exited()).toBe(0);
});

test("a runner stopped in place and continued goes on where it was", async () => {
  await using trial = await FunctionTrial.open(`let n = 0; export const count = () => ++n;`);
  expect((await trial.answer(0)).json).toBe(1);
  process.kill(trial.pid, "SIGSTOP");
  const heard = trial.call(0);
  process.kill(trial.pid, "SIGCONT");
  await heard.over.promise;
  expect(heard.json).toBe(2);
});

test("a hundred thousand calls leave nothing behind", async () => {
  await using trial = await FunctionTrial.open(`
    export const call = async ({ body, headers }, ctx) => { ctx.signal; return { ...body, h: headers.host }; };
    export const heap = () => { Bun.gc(true); return process.memoryUsage().heapUsed; };`);
  const round = async (calls: number): Promise<number> => {
    for (let done = 0; done < calls; done += 50) await Promise.all(Array.from({ length: 50 }, () => trial.answer(0, {}, '{"a":1}')));
    return Number((await trial.answer(1)).json);
  };
  const first = await round(5_000);
  const second = await round(25_000);
  // A hundred bytes a call would be 2.5 MB.
  expect(second - first).toBeLessThan(1_000_000);
}, 60_000);

/**
 * Waiting for something that a real process does at its own pace: asked again and again until it holds, with a bound so
 * generous that only a failure reaches it. Tests never sleep for a fixed time.
 */

/** Asks until the answer is neither `undefined` nor `false`, and returns it. Throws after `withinMs` (default 15 s). */
export async function eventually<T>(
  what: string | (() => string),
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  withinMs = 15_000,
): Promise<T> {
  const end = performance.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (performance.now() > end) throw new Error(`Waited ${withinMs} ms in vain: ${typeof what === "string" ? what : what()}`);
    await Bun.sleep(10);
  }
}

/**
 * Fibonacci numbers of any size, exactly. Large ones are computed and written step by step, with pauses in which others are
 * served, and are given up when their time is over.
 */

/** The largest n: its number has two million digits, and takes half a second on an ordinary machine. */
export const largest = 10_000_000;

/** Up to here a number is computed at once: it takes less than a millisecond. */
const quickMax = 20_000;
/** A pause after so many ms of work. */
const stretchMs = 20;
/** Digits that are written without a pause. */
const pieceDigitsMax = 250_000;

/** Up to here answers are remembered. */
const rememberedMax = 1_000;
const remembered: string[] = [];

/** The number's digits came too late. */
export class TooSlow extends Error {
  override readonly name = "TooSlow";
}

/**
 * The n-th Fibonacci number in decimal digits: at once, or later for a large one.
 * @param n a whole number from 0 to `largest`.
 * @param deadline Unix time in ms.
 * @throws TooSlow (later) when the deadline comes first.
 */
export function fibonacci(n: number, deadline: number): string | Promise<string> {
  if (n > quickMax) return slowly(n, deadline);
  if (n > rememberedMax) return compute(n).toString();
  return (remembered[n] ??= compute(n).toString());
}

async function slowly(n: number, deadline: number): Promise<string> {
  const work = new Work(deadline);
  const steps = doublings(n);
  let step = steps.next();
  while (step.done !== true) {
    await work.mayPause();
    step = steps.next();
  }
  return await digits(step.value, Math.ceil(n * digitsPerStep), work);
}

function compute(n: number): bigint {
  const steps = doublings(n);
  let step = steps.next();
  while (step.done !== true) step = steps.next();
  return step.value;
}

/**
 * Fast doubling, from the pair F(k-1), F(k) to that of 2k or 2k+1, with two squarings each:
 * F(2k-1) = F(k)² + F(k-1)², F(2k+1) = 4 F(k)² - F(k-1)² + 2(-1)^k, F(2k) = F(2k+1) - F(2k-1).
 */
function* doublings(n: number): Generator<undefined, bigint> {
  if (n === 0) return 0n;
  let before = 0n;
  let number = 1n;
  let isOdd = true;
  for (const bit of n.toString(2).slice(1)) {
    const square = number * number;
    const squareBefore = before * before;
    const low = square + squareBefore;
    const high = (square << 2n) - squareBefore + (isOdd ? -2n : 2n);
    isOdd = bit === "1";
    before = isOdd ? high - low : low;
    number = isOdd ? high : high - low;
    yield;
  }
  return number;
}

/** log10 of the golden ratio: how many digits each step adds. */
const digitsPerStep = Math.log10((1 + Math.sqrt(5)) / 2);

/** The decimal digits of a number of at most so many, written half by half. */
async function digits(number: bigint, count: number, work: Work): Promise<string> {
  await work.mayPause();
  if (count <= pieceDigitsMax) return number.toString();
  const lowDigits = count >> 1;
  const power = 10n ** BigInt(lowDigits);
  const high = number / power;
  await work.mayPause();
  const low = number - high * power;
  const left = await digits(high, count - lowDigits, work);
  const right = await digits(low, lowDigits, work);
  return left === "0" ? right : left + right.padStart(lowDigits, "0");
}

/** Work that makes room for others, and ends at its deadline. */
class Work {
  readonly #deadline: number;
  #since = performance.now();

  constructor(deadline: number) {
    this.#deadline = deadline;
  }

  async mayPause(): Promise<void> {
    if (Date.now() >= this.#deadline) throw new TooSlow();
    if (performance.now() - this.#since < stretchMs) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}

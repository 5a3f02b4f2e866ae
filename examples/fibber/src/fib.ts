/** What serves the app: lines of a TCP client, and an operation of the contract, by the same numbers. */
import { type Context, type Handler, HttpError, type LineHandler } from "urocket";
import { fibonacci, largest, TooSlow } from "./fibonacci.ts";
import type { operations } from "./openapi.ts";

const range = `a whole number from 0 to ${largest}`;
/** An answer comes a little before its deadline, rather than the host's own. */
const marginMs = 500;

/** A line of the listener: an int, answered by `Ok: <the number>`; anything else by `Err: <why>`. */
export const fib: LineHandler = (line, ctx) => {
  // What most lines are: digits, and not many.
  if (!plain.test(line)) return answerOdd(line, ctx);
  const n = Number(line);
  return n > largest ? tooLarge(line) : answer(n, ctx);
};
const plain = /^\d{1,15}$/;

/** GET /fib/{n} */
export const getFibonacci: Handler<operations["getFibonacci"]> = async ({ params: { n } }, ctx) => {
  try {
    return { status: 200, body: { n, fibonacci: await fibonacci(n, ctx.deadline - marginMs) } };
  } catch (error) {
    if (error instanceof TooSlow) throw new HttpError(503, slow(n));
    throw error;
  }
};

function answer(n: number, ctx: Context): string | Promise<string> {
  const digits = fibonacci(n, ctx.deadline - marginMs);
  return typeof digits === "string" ? `Ok: ${digits}` : answerLater(n, digits);
}

async function answerLater(n: number, digits: Promise<string>): Promise<string> {
  try {
    return `Ok: ${await digits}`;
  } catch (error) {
    if (error instanceof TooSlow) return `Err: ${slow(n)}`;
    throw error;
  }
}

/** A line that is not simply some digits. */
function answerOdd(line: string, ctx: Context): string | Promise<string> {
  const text = line.trim();
  if (text === "") return `Err: the line is empty; send ${range}`;
  const [, sign, zeros, digits] = /^([+-]?)(0*)(\d*)$/.exec(text) ?? [];
  if (digits === undefined || zeros + digits === "") return `Err: ${quoted(text)} is ${whatElse(text)}; send ${range}`;
  if (digits === "") return answer(0, ctx);
  if (sign === "-") return `Err: ${shortened(text)} is negative; send ${range}`;
  return digits.length > 15 || Number(digits) > largest ? tooLarge(text) : answer(Number(digits), ctx);
}

function whatElse(text: string): string {
  if (/^[+-]?\d*[.,]\d+$/.test(text)) return "not a whole number";
  if (/^[+-]?(\d+(\.\d+)?e[+-]?\d+|0x[\da-f]+|0b[01]+|0o[0-7]+|\d[\d_]*n?)$/i.test(text)) return "not written in plain digits";
  return "not a number";
}

function tooLarge(text: string): string {
  return `Err: ${shortened(text)} is too large; send ${range}`;
}

function slow(n: number): string {
  return `The Fibonacci number ${n} takes this machine longer than an answer may; send a smaller one`;
}

const shownMax = 40;

function shortened(text: string): string {
  return text.length > shownMax ? `${text.slice(0, shownMax)}…` : text;
}

function quoted(text: string): string {
  return JSON.stringify(shortened(text));
}

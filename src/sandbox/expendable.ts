/**
 * Who the kernel kills first when an instance's memory runs out, where its runner is under the same limit: what the runner
 * started, however small, so that an instance does not die of one program. A process has at its start the score that its parent has
 * at that moment (proc(5), oom_score_adj), and a process that raised its own may lower it again to what it was.
 */
import { openSync, readFileSync, writeSync } from "node:fs";

const file = "/proc/self/oom_score_adj";
/** Before everybody who has less, whatever they use. */
const first = Buffer.from("1000");

interface Score {
  readonly file: number;
  readonly own: Buffer;
}

/** Undefined: not looked for yet. Null: it cannot be set here. */
let score: Score | null | undefined;

/** @param start spawns. */
export function spawnExpendable<T>(start: () => T): T {
  if (score === undefined) score = openScore();
  if (score === null || !write(score.file, first)) return start();
  try {
    return start();
  } finally {
    write(score.file, score.own);
  }
}

function openScore(): Score | null {
  try {
    return { own: Buffer.from(readFileSync(file, "latin1").trim()), file: openSync(file, "w") };
  } catch {
    return null;
  }
}

function write(to: number, value: Buffer): boolean {
  try {
    writeSync(to, value, 0, value.length, 0);
    return true;
  } catch {
    return false;
  }
}

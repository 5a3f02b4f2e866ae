/**
 * `npm test`: runs every test under a time limit, says aloud what was skipped and how to get what it needs, and closes
 * with one line of counts. Arguments go to `bun test`: `npm test -- src/cli -t "port"`.
 */
import { join } from "node:path";
import { findMissingTools, installCommand, packageOf } from "../tests/system-tools.ts";

const root = join(import.meta.dir, "..");
/** The whole run. `bun test` itself can spin for ever on a promise that never settles. */
const limitMs = 8 * 60_000;
/** One test, unless it says otherwise. */
const testLimitMs = 30_000;

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

/** Collects what `bun test` tells about its tests while passing it on. */
class Report {
  readonly skippedTests: string[] = [];
  readonly counts: Counts = { passed: 0, failed: 0, skipped: 0 };
  #rest = "";

  read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(Bun.stripANSI(line));
  }

  #readLine(line: string): void {
    const skipped = /^\((?:skip|todo)\) (.*)$/.exec(line)?.[1];
    if (skipped !== undefined) this.skippedTests.push(skipped);
    const [, count = "0", what] = /^ {1,}(\d+) (pass|fail|skip|todo)$/.exec(line) ?? [];
    if (what === "pass") this.counts.passed += Number(count);
    if (what === "fail") this.counts.failed += Number(count);
    if (what === "skip" || what === "todo") this.counts.skipped += Number(count);
  }
}

async function passOn(stream: ReadableStream<Uint8Array>, report: Report): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    process.stdout.write(chunk);
    report.read(decoder.decode(chunk, { stream: true }));
  }
  report.read("\n");
}

function runTests(args: readonly string[]): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const patterns = args.some((arg) => !arg.startsWith("-")) ? args : ["./src", "./tests", "./scripts", "./bench", ...args];
  const argv = [process.execPath, "--no-env-file", "--config=/dev/null", "test", "--no-orphans", `--timeout=${testLimitMs}`, ...patterns];
  return Bun.spawn(argv, { cwd: root, stdin: "ignore", stdout: "pipe", stderr: "pipe", detached: true });
}

function endTree(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}

function tellSkipped({ skippedTests }: Report): void {
  if (skippedTests.length === 0) return;
  console.log(`\n${skippedTests.length} skipped:`);
  for (const name of skippedTests) console.log(`  ${name}`);
  const missing = findMissingTools();
  if (missing.length === 0) return;
  console.log(`Missing tools of the system: ${missing.map((tool) => `${tool} (${packageOf[tool]})`).join(", ")}. Install them all:`);
  console.log(`  ${installCommand}`);
}

function closingLine({ passed, failed, skipped }: Counts): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`;
}

const report = new Report();
const run = runTests(process.argv.slice(2));
let timedOut = false;
const timer = setTimeout(() => {
  timedOut = true;
  endTree(run.pid);
}, limitMs);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => endTree(run.pid));

const [code] = await Promise.all([run.exited, passOn(run.stdout, report), passOn(run.stderr, report)]);
clearTimeout(timer);
endTree(run.pid);

tellSkipped(report);
if (timedOut) console.error(`\nThe tests took longer than ${limitMs / 60_000} minutes and were ended.`);
// A run that was ended, or crashed, has failed whatever it counted until then.
if (code !== 0 && report.counts.failed === 0) {
  report.counts.failed = 1;
  console.error(`\nbun test ended with ${run.signalCode ?? `exit code ${code}`} without counting a failed test; that counts as one.`);
}
if (code === 0 && report.counts.passed === 0) {
  report.counts.failed = 1;
  console.error("\nNo test ran; that counts as a failed one.");
}
console.log(`\n${closingLine(report.counts)}`);
process.exit(report.counts.failed === 0 ? 0 : 1);

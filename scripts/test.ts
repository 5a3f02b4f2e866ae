/**
 * `npm test`: runs every test under a time limit, says aloud what was skipped and how to get what it needs, and closes
 * with one line of counts. A few files that fail are run once more, alone: what passes then is unsteady, and is named
 * (docs/decisions/020). Arguments go to `bun test`: `npm test -- src/cli -t "port"`; those are run once.
 */
import { join } from "node:path";
import { findMissingTools, installCommand, packageOf } from "../tests/system-tools.ts";
import { type FailedTest, skippedLines, TestReport } from "./test-report.ts";

const root = join(import.meta.dir, "..");
/** The whole run. `bun test` itself can spin for ever on a promise that never settles. */
const limitMs = 8 * 60_000;
/** One test, unless it says otherwise. */
const testLimitMs = 30_000;
/** More that fail at once are no accident of timing. */
const filesAgainMax = 3;

/**
 * Root's tests make bridges and firewall rules: they get a network namespace of their own, so that nothing of them touches the
 * machine's. Tests that need one look for its inode in the environment.
 */
const inOwnNetwork = [
  "unshare",
  "--net",
  "sh",
  "-c",
  'ip link set lo up && UROCKET_OWN_NETWORK=$(stat -L -c %i /proc/self/ns/net) exec "$0" "$@"',
];

interface Run {
  readonly report: TestReport;
  /** It went to its end, and every failure is a test's: nothing crashed, nothing hung. */
  readonly whole: boolean;
}

async function runTests(patterns: readonly string[], atOnce: number): Promise<Run> {
  const report = new TestReport();
  const bun = startTests(patterns, atOnce);
  running = bun;
  const [code] = await Promise.all([bun.exited, passOn(bun.stdout, report), passOn(bun.stderr, report)]);
  endTree(bun.pid);
  // A run that was ended, or crashed, has failed whatever it counted until then.
  if (code !== 0 && report.failed === 0) {
    report.failed = 1;
    console.error(`\nbun test ended with ${bun.signalCode ?? `exit code ${code}`} without counting a failed test; that counts as one.`);
  }
  if (code === 0 && report.passed === 0) {
    report.failed = 1;
    console.error("\nNo test ran; that counts as a failed one.");
  }
  return { report, whole: bun.signalCode === null && report.failures.length === report.failed };
}

function startTests(patterns: readonly string[], atOnce: number): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const argv = [
    process.execPath,
    "--no-env-file",
    "--config=/dev/null",
    "test",
    "--no-orphans",
    `--parallel=${atOnce}`,
    `--timeout=${testLimitMs}`,
    ...patterns,
  ];
  const confined = process.getuid?.() === 0 && Bun.which("unshare") !== null && Bun.which("ip") !== null;
  return Bun.spawn([...(confined ? inOwnNetwork : []), ...argv], {
    cwd: root,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    detached: true,
  });
}

async function passOn(stream: ReadableStream<Uint8Array>, report: TestReport): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    process.stdout.write(chunk);
    report.read(decoder.decode(chunk, { stream: true }));
  }
  report.read("\n");
}

/** Runs the files alone, one after another, in which a test failed, and takes that for the truth of them. */
async function runAgain({ report, whole }: Run): Promise<void> {
  const files = report.failedFiles;
  if (!whole || files.length === 0 || files.length > filesAgainMax) return;
  console.log(`\nOnce more, alone: ${files.join(", ")}\n`);
  const again = await runTests(
    files.map((file) => `./${file}`),
    1,
  );
  if (again.whole) report.settle(again.report);
}

function endTree(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself in the meantime.
  }
}

function tellSkipped({ skipped }: TestReport): void {
  if (skipped.length === 0) return;
  console.log(`\n${skipped.length} skipped:`);
  for (const line of skippedLines(skipped)) console.log(line);
  const missing = findMissingTools();
  if (missing.length === 0) return;
  console.log(`Missing tools of the system: ${missing.map((tool) => `${tool} (${packageOf[tool]})`).join(", ")}. Install them all:`);
  console.log(`  ${installCommand}`);
}

/** Once more, where a reader of the run's end finds it. */
function tellFailures({ failures, unsteady }: TestReport): void {
  const tell = (what: string, { file, name, said }: FailedTest): void =>
    console.log(["", `${what}: ${file}: ${name}`, ...said.map((line) => `  ${line}`)].join("\n"));
  for (const test of failures) tell("Failed", test);
  for (const test of unsteady) tell("Unsteady (it failed beside others and passed alone)", test);
}

function closingLine({ passed, failed, skipped, unsteady }: TestReport): string {
  const others = [
    ...(skipped.length > 0 ? [`${skipped.length} skipped`] : []),
    ...(unsteady.length > 0 ? [`${unsteady.length} unsteady`] : []),
  ];
  return [`${passed} passed, ${failed} failed`, ...others].join(", ");
}

let running: Bun.Subprocess | undefined;
const endRun = (): void => {
  if (running !== undefined) endTree(running.pid);
};
const timer = setTimeout(() => {
  console.error(`\nThe tests take longer than ${limitMs / 60_000} minutes, and are ended.`);
  endRun();
}, limitMs);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, endRun);

const args = process.argv.slice(2);
const all = args.every((arg) => arg.startsWith("-"));
const run = await runTests(all ? ["./src", "./tests", "./scripts", "./bench", ...args] : args, 2);
if (args.length === 0) await runAgain(run);
clearTimeout(timer);

const { report } = run;
tellSkipped(report);
tellFailures(report);
console.log(`\n${closingLine(report)}`);
process.exit(report.failed === 0 ? 0 : 1);

/**
 * `npm test`: runs every test under a time limit, says aloud what was skipped and how to get what it needs, and closes
 * with one line of counts. Arguments go to `bun test`: `npm test -- src/cli -t "port"`.
 */
import { join } from "node:path";
import { findMissingTools, installCommand, packageOf } from "../tests/system-tools.ts";
import { skippedLines, TestReport } from "./test-report.ts";

const root = join(import.meta.dir, "..");
/** The whole run. `bun test` itself can spin for ever on a promise that never settles. */
const limitMs = 8 * 60_000;
/** One test, unless it says otherwise. */
const testLimitMs = 30_000;

async function passOn(stream: ReadableStream<Uint8Array>, report: TestReport): Promise<void> {
  const decoder = new TextDecoder();
  for await (const chunk of stream) {
    process.stdout.write(chunk);
    report.read(decoder.decode(chunk, { stream: true }));
  }
  report.read("\n");
}

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

function runTests(args: readonly string[]): Bun.Subprocess<"ignore", "pipe", "pipe"> {
  const patterns = args.some((arg) => !arg.startsWith("-")) ? args : ["./src", "./tests", "./scripts", "./bench", ...args];
  const argv = [
    process.execPath,
    "--no-env-file",
    "--config=/dev/null",
    "test",
    "--no-orphans",
    "--parallel=2",
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
function tellFailures({ failures }: TestReport): void {
  for (const { file, name, said } of failures) console.log(["", `Failed: ${file}: ${name}`, ...said.map((line) => `  ${line}`)].join("\n"));
}

function closingLine({ passed, failed, skipped }: TestReport): string {
  return `${passed} passed, ${failed} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;
}

const report = new TestReport();
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
tellFailures(report);
if (timedOut) console.error(`\nThe tests took longer than ${limitMs / 60_000} minutes and were ended.`);
// A run that was ended, or crashed, has failed whatever it counted until then.
if (code !== 0 && report.failed === 0) {
  report.failed = 1;
  console.error(`\nbun test ended with ${run.signalCode ?? `exit code ${code}`} without counting a failed test; that counts as one.`);
}
if (code === 0 && report.passed === 0) {
  report.failed = 1;
  console.error("\nNo test ran; that counts as a failed one.");
}
console.log(`\n${closingLine(report)}`);
process.exit(report.failed === 0 ? 0 : 1);

/** What `bun test` tells about its tests, collected while it is passed on. */

export interface SkippedTest {
  /** As bun names it: "src/cli/init.test.ts". */
  readonly file: string;
  /** Ends with why it was skipped, where the test says so: "adds (needs python3)". */
  readonly name: string;
}

export interface FailedTest {
  readonly file: string;
  readonly name: string;
  /** What was printed between the end of the test before and its own: its errors, and the output of both its test and its host. */
  readonly said: readonly string[];
}

/** Of what a test said before it failed, its last lines are kept. */
const saidAtMost = 60;

export class TestReport {
  passed = 0;
  failed = 0;
  readonly skipped: SkippedTest[] = [];
  /** Each failure with what was said of it, which lies far up in a long run's output. */
  readonly failures: FailedTest[] = [];
  /** Of a run whose failed files were run again: what failed only the first time. */
  readonly unsteady: FailedTest[] = [];
  readonly #passedIn = new Map<string, number>();
  #said: string[] = [];
  #file = "";
  #rest = "";
  /** At the end of a long run bun repeats what was skipped and what failed. */
  #repeating = false;

  get failedFiles(): readonly string[] {
    return [...new Set(this.failures.map(({ file }) => file))];
  }

  /** Takes what the files that failed did when they were run again: what did not fail then is unsteady. */
  settle(again: TestReport): void {
    const stillFails = ({ file, name }: FailedTest): boolean =>
      again.failures.some((failure) => failure.file === file && withoutTime(failure.name) === withoutTime(name));
    this.unsteady.push(...this.failures.filter((failure) => !stillFails(failure)));
    // A hook that failed has kept other tests of its file from running.
    for (const file of this.failedFiles) this.passed -= this.#passedIn.get(file) ?? 0;
    this.passed += again.passed;
    this.failed = again.failed;
    this.failures.splice(0, Infinity, ...again.failures);
  }

  read(text: string): void {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop() ?? "";
    for (const line of lines) this.#readLine(Bun.stripANSI(line));
  }

  #readLine(line: string): void {
    const file = /^(\S+\.test\.ts):$/.exec(line)?.[1];
    this.#file = file ?? this.#file;
    if (/^\d+ tests? (skipped|failed|todo):$/.test(line)) this.#repeating = true;
    const skipped = /^\((?:skip|todo)\) (.*)$/.exec(line)?.[1];
    if (skipped !== undefined && !this.#repeating) this.skipped.push({ file: this.#file, name: skipped });
    const failed = /^\(fail\) (.*)$/.exec(line)?.[1];
    if (failed !== undefined && !this.#repeating) this.failures.push({ file: this.#file, name: failed, said: this.#said });
    if (line.startsWith("(pass) ")) this.#passedIn.set(this.#file, (this.#passedIn.get(this.#file) ?? 0) + 1);
    if (file !== undefined || /^\((?:pass|fail|skip|todo)\) /.test(line)) this.#said = [];
    else this.#said = [...this.#said, line].slice(-saidAtMost);
    const [, count = "0", what] = /^ {1,}(\d+) (pass|fail)$/.exec(line) ?? [];
    if (what === "pass") this.passed += Number(count);
    if (what === "fail") this.failed += Number(count);
  }
}

/** A test's name without "[12.3ms]". */
const withoutTime = (name: string): string => name.replace(/ \[[\d.]+m?s\]$/, "");

/** Every skipped test once, by file. */
export function skippedLines(skipped: readonly SkippedTest[]): readonly string[] {
  const byFile = Map.groupBy(skipped, ({ file }) => file);
  return [...byFile].flatMap(([file, tests]) => [`  ${file}`, ...tests.map(({ name }) => `    ${name}`)]);
}

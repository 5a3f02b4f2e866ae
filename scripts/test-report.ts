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
  #said: string[] = [];
  #file = "";
  #rest = "";
  /** At the end of a long run bun repeats what was skipped and what failed. */
  #repeating = false;

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
    if (file !== undefined || /^\((?:pass|fail|skip|todo)\) /.test(line)) this.#said = [];
    else this.#said = [...this.#said, line].slice(-saidAtMost);
    const [, count = "0", what] = /^ {1,}(\d+) (pass|fail)$/.exec(line) ?? [];
    if (what === "pass") this.passed += Number(count);
    if (what === "fail") this.failed += Number(count);
  }
}

/** Every skipped test once, by file. */
export function skippedLines(skipped: readonly SkippedTest[]): readonly string[] {
  const byFile = Map.groupBy(skipped, ({ file }) => file);
  return [...byFile].flatMap(([file, tests]) => [`  ${file}`, ...tests.map(({ name }) => `    ${name}`)]);
}

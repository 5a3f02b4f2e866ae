/** What `bun test` tells about its tests, collected while it is passed on. */

export interface SkippedTest {
  /** As bun names it: "src/cli/init.test.ts". */
  readonly file: string;
  /** Ends with why it was skipped, where the test says so: "adds (needs python3)". */
  readonly name: string;
}

export class TestReport {
  passed = 0;
  failed = 0;
  readonly skipped: SkippedTest[] = [];
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
    this.#file = /^(\S+\.test\.ts):$/.exec(line)?.[1] ?? this.#file;
    if (/^\d+ tests? (skipped|failed|todo):$/.test(line)) this.#repeating = true;
    const skipped = /^\((?:skip|todo)\) (.*)$/.exec(line)?.[1];
    if (skipped !== undefined && !this.#repeating) this.skipped.push({ file: this.#file, name: skipped });
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

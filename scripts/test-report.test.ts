import { expect, test } from "bun:test";
import { skippedLines, TestReport } from "./test-report.ts";

const long = `bun test v1

src/a.test.ts:
(skip) group > adds (needs python3)
(pass) group > counts [0.02ms]

tests/b.test.ts:
(skip) adds
error: expect(received).toBe(expected)
\u001b[31m(fail) breaks\u001b[0m

2 tests skipped:
(skip) group > adds (needs python3)
(skip) adds


1 tests failed:
(fail) breaks

 1 pass
 2 skip
 1 fail
Ran 4 tests across 2 files.
`;

test("what bun repeats at the end of a long run is counted and listed once", () => {
  const report = new TestReport();
  // In pieces, as it comes from a pipe.
  for (let at = 0; at < long.length; at += 7) report.read(long.slice(at, at + 7));
  expect([report.passed, report.failed, report.skipped.length]).toEqual([1, 1, 2]);
  expect(report.failures).toEqual([{ file: "tests/b.test.ts", name: "breaks", said: ["error: expect(received).toBe(expected)"] }]);
  expect(skippedLines(report.skipped)).toEqual(["  src/a.test.ts", "    group > adds (needs python3)", "  tests/b.test.ts", "    adds"]);
});

function reportOf(...lines: readonly string[]): TestReport {
  const report = new TestReport();
  report.read(`${lines.join("\n")}\n`);
  return report;
}

test("what fails once and passes alone is unsteady, and what its file passes then is counted", () => {
  const report = reportOf(
    "src/a.test.ts:",
    "(pass) adds",
    "tests/b.test.ts:",
    "(pass) opens",
    "late",
    "(fail) closes [31.20ms]",
    "src/c.test.ts:",
    "(fail) (unnamed) [0.10ms]",
    " 2 pass",
    " 2 fail",
  );
  expect(report.failedFiles).toEqual(["tests/b.test.ts", "src/c.test.ts"]);
  report.settle(
    reportOf("tests/b.test.ts:", "(pass) opens", "(pass) closes", "src/c.test.ts:", "(pass) reads", "(pass) writes", " 4 pass", " 0 fail"),
  );
  expect([report.passed, report.failed, report.failures]).toEqual([5, 0, []]);
  expect(report.unsteady).toEqual([
    { file: "tests/b.test.ts", name: "closes [31.20ms]", said: ["late"] },
    { file: "src/c.test.ts", name: "(unnamed) [0.10ms]", said: [] },
  ]);
});

test("what fails twice has failed, whatever else its file does", () => {
  const report = reportOf("src/a.test.ts:", "(fail) opens [1ms]", "(fail) closes [2ms]", " 0 pass", " 2 fail");
  report.settle(reportOf("src/a.test.ts:", "(pass) opens [3ms]", "no", "(fail) closes [4ms]", " 1 pass", " 1 fail"));
  expect([report.passed, report.failed]).toEqual([1, 1]);
  expect(report.failures).toEqual([{ file: "src/a.test.ts", name: "closes [4ms]", said: ["no"] }]);
  expect(report.unsteady.map(({ name }) => name)).toEqual(["opens [1ms]"]);
});

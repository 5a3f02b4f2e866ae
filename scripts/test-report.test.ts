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

import { describe, expect, test } from "bun:test";
import { formatDiagnostic } from "./diagnostic.ts";

const place = (text: string, column: number) => ({ file: "a.yaml", line: 12, column, text });

describe("a diagnostic", () => {
  test("shows where it is, the line with a caret below the column, and the hint", () => {
    expect(formatDiagnostic({ severity: "error", place: place("  name: Pets", 9), message: "No", hint: "Do" })).toBe(
      ["a.yaml:12:9: error: No", "  12 |   name: Pets", "     |         ^", "  Do"].join("\n"),
    );
  });

  test("keeps tabs before the caret", () => {
    expect(formatDiagnostic({ severity: "warning", place: place('\t"a": 1', 7), message: "No" })).toBe(
      'a.yaml:12:7: warning: No\n  12 | \t"a": 1\n     | \t     ^',
    );
  });

  test("of a whole file names it, and one of nothing is its message", () => {
    expect(formatDiagnostic({ severity: "error", file: "a.yaml", message: "No" })).toBe("a.yaml: error: No");
    expect(formatDiagnostic({ severity: "error", message: "No" })).toBe("error: No");
  });

  test.each([1, 50, 500, 951, 1000])("shows the part of a long line around column %d", (column) => {
    const text = "x".repeat(column - 1) + "!" + "x".repeat(1000 - column);
    const [, line = "", caret = ""] = formatDiagnostic({ severity: "error", place: place(text, column), message: "No" }).split("\n");
    expect(line.length).toBeLessThan(180);
    expect(line.indexOf("!")).toBe(caret.indexOf("^"));
  });
});

import { expect, test } from "bun:test";
import { formatNumber, formatTable } from "./table.ts";

test("numbers keep three digits, and thousands are grouped", () => {
  expect([0.12345, 12.345, 999.4, 1000, 1234567.8].map(formatNumber)).toEqual(["0.123", "12.3", "999", "1 000", "1 234 568"]);
});

test("what is not a finite number is a dash", () => expect(formatNumber(Number.NaN)).toBe("–"));

test("a table aligns words left and numbers right", () => {
  expect(
    formatTable(
      ["system", "per s"],
      [
        ["urocket", 2500],
        ["a", 7],
      ],
    ),
  ).toBe(["| system  | per s |", "|---------|------:|", "| urocket | 2 500 |", "| a       |     7 |"].join("\n"));
});

test("a table without rows is its head", () => expect(formatTable(["a"], [])).toBe("| a   |\n|-----|"));

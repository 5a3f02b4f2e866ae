import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatDiagnostic } from "../core/diagnostic.ts";
import { serviceFile } from "./description.ts";
import { ownStanding } from "./machine.ts";
import { Reading } from "./reading.ts";
import { toApp } from "./to-app.ts";
import { readYaml } from "./yaml-source.ts";

const words = [
  "paths",
  "get",
  "GET",
  "inject",
  "cmd",
  "env",
  "name",
  "scale",
  "service",
  "health",
  "container",
  "network",
  "{{port}}",
  "limits",
  "min",
  "x-a",
  "<<",
  "/a",
  "/{b}",
  "sh",
  "1.5",
  "-3",
  "30s",
  "true",
  "null",
  "__proto__",
  "constructor",
];
const marks = [
  ": ",
  "\n",
  "\n  ",
  "\n    ",
  "- ",
  "[",
  "]",
  "{",
  "}",
  ", ",
  "&a ",
  "*a",
  "'",
  '"',
  "!ToSplit ",
  "!!str ",
  "? ",
  "|\n",
  "#",
  "\t",
  "---\n",
  "\0",
  "é",
];

/** Reads a text as a service file; what came of it, and every problem shown. */
function read(text: string) {
  const reading = new Reading("any.yaml", text);
  const value = readYaml(text, reading);
  const keys = value && serviceFile.read(value, "", reading);
  const { app } = keys
    ? toApp(keys, { folder: "/tmp", file: "/tmp/any.yaml", sandbox: "process", ownRoot: false, standing: ownStanding(), reading })
    : {};
  return { app, failed: reading.failed, shown: reading.diagnostics().map(formatDiagnostic) };
}

test("whatever a file holds, it is an app or a list of problems, and nothing is thrown", () => {
  const text = fc.array(fc.oneof(fc.constantFrom(...words), fc.constantFrom(...marks)), { maxLength: 40 }).map((pieces) => pieces.join(""));
  fc.assert(
    fc.property(text, (written) => {
      const { app, failed, shown } = read(written);
      expect(app !== undefined || failed).toBe(true);
      expect(shown.length > 0 || app !== undefined).toBe(true);
    }),
    { numRuns: 3000 },
  );
});

test("whatever value a key is given, it is taken or refused at a place within the file", () => {
  const keys = fc.constantFrom(
    "name",
    "openapi",
    "base",
    "hosts",
    "sandbox",
    "socket",
    "env",
    "timeout",
    "limits",
    "scale",
    "balance",
    "paths",
    "functions",
    "zzz",
  );
  fc.assert(
    fc.property(keys, fc.jsonValue({ maxDepth: 3 }), (key, value) => {
      const { app, failed, shown } = read(JSON.stringify({ [key]: value }, null, 1));
      expect(app !== undefined || failed).toBe(true);
      for (const problem of shown) expect(problem).toMatch(/^any\.yaml:\d+:\d+: (error|warning): \S/);
    }),
    { numRuns: 1000 },
  );
});

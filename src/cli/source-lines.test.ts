import { afterEach, expect, test } from "bun:test";
import { type AppFolder, appOf } from "../../tests/app-folder.ts";
import type { OutputLine } from "../telemetry/receipt.ts";
import { withSourceLines } from "./source-lines.ts";

const apps: AppFolder[] = [];
afterEach(() => {
  for (const app of apps.splice(0)) app[Symbol.dispose]();
});

function appWith(source: string): AppFolder {
  const app = appOf({ "src/pets.ts": source });
  apps.push(app);
  return app;
}

const lineOf = (text: string, level: OutputLine["level"] = "error"): OutputLine => ({
  app: "pets",
  stream: "log",
  ...(level === undefined ? {} : { level }),
  text,
  cut: false,
});

test("below the first place in the author's own files stands its line of source", () => {
  const app = appWith("const a = 1;\n  throw new Error('x');\n");
  const stack = `Error: x\n    at check (/srv/node_modules/zod/index.js:1:1)\n    at addPet (${app.path("src/pets.ts")}:2:9)\n    at other (${app.path("src/pets.ts")}:1:1)`;
  expect(withSourceLines()(lineOf(stack)).text.split("\n").slice(2)).toEqual([
    `    at addPet (${app.path("src/pets.ts")}:2:9)`,
    "      2 |   throw new Error('x');",
    "        |         ^",
    `    at other (${app.path("src/pets.ts")}:1:1)`,
  ]);
});

test("a place without a function's name is one too", () => {
  const app = appWith("boom();\n");
  expect(withSourceLines()(lineOf(`Error: x\n    at ${app.path("src/pets.ts")}:1:1`)).text).toContain("\n      1 | boom();\n        | ^");
});

test("a file that changed meanwhile is read again; one that is gone, or too short, shows nothing", () => {
  const app = appWith("first();\n");
  const annotate = withSourceLines();
  const stack = `Error: x\n    at a (${app.path("src/pets.ts")}:1:1)`;
  expect(annotate(lineOf(stack)).text).toContain("first();");
  app.write("src/pets.ts", "a longer second();\n");
  expect(annotate(lineOf(stack)).text).toContain("second();");
  for (const place of [`${app.path("src/pets.ts")}:99:1`, `${app.path("src/pets.ts")}:1:99`, "/nonexistent/x.ts:1:1"]) {
    expect(annotate(lineOf(`Error: x\n    at a (${place})`)).text).toBe(`Error: x\n    at a (${place})`);
  }
});

test("what is no failure, or has no stack, stays as it is", () => {
  const app = appWith("boom();\n");
  const stack = `Error: x\n    at a (${app.path("src/pets.ts")}:1:1)`;
  const annotate = withSourceLines();
  for (const line of [lineOf(stack, "info"), lineOf("no stack"), { ...lineOf(stack), stream: "stderr" as const }])
    expect(annotate(line)).toEqual(line);
});

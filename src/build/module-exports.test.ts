import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { exportsOf } from "./module-exports.ts";

function exportsIn(file: string, text: string) {
  using app = appOf({ [file]: text });
  return exportsOf(app.path(file), new Map());
}

describe("the exports of a module", () => {
  test.each([
    ["export const a = 1, b = 2; export function c() {} export class D {}", ["D", "a", "b", "c"]],
    ["const a = 1; export { a as b, a as default };", ["b", "default"]],
    ["export default () => 1;", ["default"]],
    ["export enum Colour { Red } export namespace N { export const x = 1; }", ["Colour", "N"]],
    ["export type A = 1; export interface B {} export declare const c: number; const d = 1;", []],
    ['export * as all from "./x"; export { one, two as three } from "./x";', ["all", "one", "three"]],
    ["export const [a, { b, c: d }] = [1, { b: 1, c: 2 }];", ["a", "b", "d"]],
    ["const text = 'export const no = 1'; // export const nor = 1\nexport const yes = text;", ["yes"]],
  ])("%j are told by its text", (text, names) => {
    expect(exportsIn("f.ts", text)).toEqual({ exports: names, exportsKnown: true });
  });

  test.each([
    ["exports.a = 1; exports.b = exports.a == 1;", ["a", "b", "default"]],
    ["module.exports = { a, b() { return { c: 1 }; }, async d() {}, 'e': 1, f: [1, 2], ...g };", ["a", "b", "d", "default", "f"]],
    ["module.exports = require('./x');", ["default"]],
    ["module.exports = { a: '}, b', c: 1 };", ["a", "c", "default"]],
  ])("%j of CommonJS are not all known", (text, names) => {
    expect(exportsIn("f.cjs", text)).toEqual({ exports: names, exportsKnown: false });
  });

  test("hold those of what it re-exports whole, but for their defaults, and end where it goes in a circle", () => {
    using app = appOf({
      "a.ts": "export * from \"./b\";\nexport * from './c';\nexport const a = 1;\n",
      "b.ts": 'export * from "./a";\nexport const b = 1;\nexport default 1;\n',
      "c.tsx": "export const c = <p>export * from </p>;\n",
    });
    const graph = new Map([
      [
        app.path("a.ts"),
        new Map([
          ["./b", app.path("b.ts")],
          ["./c", app.path("c.tsx")],
        ]),
      ],
      [app.path("b.ts"), new Map([["./a", app.path("a.ts")]])],
    ]);
    expect(exportsOf(app.path("a.ts"), graph)).toEqual({ exports: ["a", "b", "c"], exportsKnown: true });
  });

  test("are not all known where it re-exports what is not in the bundle, or CommonJS", () => {
    using app = appOf({ "a.ts": 'export * from "./b";\nexport * from "left-out";\n', "b.cjs": "exports.b = 1;\n" });
    const graph = new Map([[app.path("a.ts"), new Map([["./b", app.path("b.cjs")]])]]);
    expect(exportsOf(app.path("a.ts"), graph)).toEqual({ exports: ["b"], exportsKnown: false });
  });
});

import { describe, expect, test } from "bun:test";
import { readOptions } from "./options.ts";

function problems(...argv: string[]): readonly string[] {
  const read = readOptions(argv);
  return read.ok ? [] : read.problems;
}

describe("readOptions", () => {
  test("without options is five rounds of three seconds of everything", () => {
    const read = readOptions(["stage"]);
    expect(read).toMatchObject({
      ok: true,
      options: { rounds: 5, seconds: 3, parts: ["dynamic", "static", "sh", "php"], subject: "urocket", whole: true },
    });
  });

  test("--quick is one short round, and never the whole", () => {
    expect(readOptions(["stage", "--quick"])).toMatchObject({ ok: true, options: { rounds: 1, seconds: 1, whole: false } });
  });

  test("a part of the programs is not the whole", () => {
    expect(readOptions(["stage", "--only", "sh,php"])).toMatchObject({ ok: true, options: { parts: ["sh", "php"], whole: false } });
  });

  test("other effort is not the whole, keeping the figures elsewhere too is", () => {
    expect(readOptions(["stage", "--rounds", "3"])).toMatchObject({ ok: true, options: { whole: false } });
    expect(readOptions(["stage", "--json", "x.json"])).toMatchObject({ ok: true, options: { whole: true, json: "x.json" } });
  });

  test("each measure has parts and peers of its own", () => {
    expect(readOptions(["tcp", "--only", "deep", "--against", "C epoll"])).toMatchObject({
      ok: true,
      options: { parts: ["deep"], against: ["C epoll"] },
    });
    expect(problems("tcp", "--only", "php")).toEqual(['Unknown name "php" in --only: it must be of kept,deep,each']);
    expect(problems("functions", "--against", "nginx ×2,haproxy ×1")).toEqual([]);
  });

  test("says everything that is wrong at once, naming each value", () => {
    expect(problems("stag", "--only", "dynamic,perl", "--rounds", "0", "--seconds", "soon")).toEqual([
      'Unknown command "stag": it must be one of stage, stage-memory, stage-overload, functions, services, cold-start, neighbours, tcp, setup',
      'Unknown name "perl" in --only: it must be of dynamic,static,sh,php',
      '--rounds is "0": it must be a number from 1 to 3600',
      '--seconds is "soon": it must be a number from 0.1 to 3600',
    ]);
  });

  test("an unknown option is refused", () => expect(problems("stage", "--fast")[0]).toContain("--fast"));
});

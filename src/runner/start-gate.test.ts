import { expect, test } from "bun:test";
import { EndedExchanges, endedMax } from "./ended-exchanges.ts";
import { type Gated, StartGate, waitingMax } from "./start-gate.ts";

class Program implements Gated {
  waits = true;
  static started: string[] = [];
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  start(): void {
    Program.started.push(this.name);
  }
}

function programs(...names: string[]): Program[] {
  Program.started = [];
  return names.map((name) => new Program(name));
}

test("so many are in their start at once, and the others follow in order", () => {
  const gate = new StartGate(10, 2);
  const [a, b, c, d] = programs("a", "b", "c", "d") as [Program, Program, Program, Program];
  for (const program of [a, b, c, d]) expect(gate.enter(program)).toBe(true);
  expect(Program.started).toEqual(["a", "b"]);
  gate.started(b);
  gate.started(b);
  expect(Program.started).toEqual(["a", "b", "c"]);
  gate.gone(a);
  expect(Program.started).toEqual(["a", "b", "c", "d"]);
  expect(gate.alive).toBe(3);
  gate.close();
});

test("no more are alive than may be, whatever their age", () => {
  const gate = new StartGate(2, 10);
  const [a, b, c] = programs("a", "b", "c") as [Program, Program, Program];
  for (const program of [a, b, c]) gate.enter(program);
  gate.started(a);
  gate.started(b);
  expect(Program.started).toEqual(["a", "b"]);
  gate.gone(b);
  expect(Program.started).toEqual(["a", "b", "c"]);
  gate.close();
});

test("one that was given up while it waited is passed over", () => {
  const gate = new StartGate(1, 1);
  const [a, b, c] = programs("a", "b", "c") as [Program, Program, Program];
  for (const program of [a, b, c]) gate.enter(program);
  b.waits = false;
  gate.gone(a);
  expect(Program.started).toEqual(["a", "c"]);
  gate.close();
});

test("a slow start lets others start after a while", async () => {
  const gate = new StartGate(2, 1);
  const turn = Promise.withResolvers<void>();
  const [a, b] = programs("a", "b") as [Program, Program];
  b.start = () => turn.resolve();
  gate.enter(a);
  gate.enter(b);
  await turn.promise;
  expect(gate.alive).toBe(2);
  gate.close();
});

test("beyond the waiting places it refuses", () => {
  const gate = new StartGate(1, 1);
  for (let i = 0; i <= waitingMax; i++) expect(gate.enter(new Program("x"))).toBe(true);
  expect(gate.enter(new Program("x"))).toBe(false);
  gate.close();
});

test("ended exchanges are remembered up to a number, the oldest forgotten first", () => {
  const ended = new EndedExchanges();
  for (let i = 0; i <= endedMax; i++) ended.add(`/uri/${i}`, "answered");
  expect(ended.size).toBe(endedMax);
  expect(ended.get("/uri/0")).toBeUndefined();
  expect(ended.get("/uri/1")).toBe("answered");
});

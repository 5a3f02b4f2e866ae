import { describe, expect, test } from "bun:test";
import { type Beat, Pulse } from "./pulse.ts";

function beats(pulse: Pulse, times: number): Beat[] {
  return Array.from({ length: times }, () => pulse.beat());
}

describe("an instance's pulse", () => {
  test("is asked for at each beat while it answers", () => {
    const pulse = new Pulse();
    for (let round = 0; round < 5; round++) {
      expect(pulse.beat()).toBe("ask");
      pulse.answered();
    }
    expect(pulse.awaited).toBe(false);
  });

  test("is gone after four beats without an answer, told once, and back with the next answer", () => {
    const pulse = new Pulse();
    expect(beats(pulse, 7)).toEqual(["ask", "wait", "wait", "wait", "silent", "wait", "wait"]);
    pulse.answered();
    expect(beats(pulse, 5)).toEqual(["ask", "wait", "wait", "wait", "silent"]);
  });

  test("is lost when it stays away for four beats after a deadline", () => {
    const pulse = new Pulse();
    beats(pulse, 8);
    pulse.overdue();
    expect(beats(pulse, 4)).toEqual(["wait", "wait", "wait", "lost"]);
  });

  test("is not lost when it answers after a deadline, however late it was before", () => {
    const pulse = new Pulse();
    beats(pulse, 8);
    pulse.overdue();
    beats(pulse, 3);
    pulse.answered();
    expect(beats(pulse, 8)).not.toContain("lost");
  });

  test("is counted from its first question when the deadline came before that", () => {
    const pulse = new Pulse();
    pulse.overdue();
    expect(beats(pulse, 5)).toEqual(["ask", "wait", "wait", "wait", "lost"]);
  });

  test("is awaited once when work was given up", () => {
    const pulse = new Pulse();
    pulse.want();
    expect(pulse.awaited).toBe(true);
    pulse.beat();
    pulse.answered();
    expect(pulse.awaited).toBe(false);
  });
});

import { describe, expect, test } from "bun:test";
import { PendingLines } from "./pending-lines.ts";

describe("PendingLines", () => {
  test("counts what is handed on and what is answered", () => {
    const pending = new PendingLines();
    pending.handedOn(3);
    pending.answered(1);
    expect(pending.count).toBe(2);
    expect(pending.total).toBe(3);
  });

  test("does not take more answers than lines for answers of lines to come", () => {
    const pending = new PendingLines();
    pending.handedOn(1);
    pending.answered(3);
    pending.handedOn(1);
    expect(pending.count).toBe(1);
  });

  test("is overdue when the oldest line has waited for its time, and not before", () => {
    const pending = new PendingLines();
    pending.handedOn(1);
    expect(pending.isOverdue(1000, 500)).toBe(false);
    expect(pending.isOverdue(1499, 500)).toBe(false);
    expect(pending.isOverdue(1500, 500)).toBe(true);
  });

  test("gives each line its own time, though they wait for one another", () => {
    const pending = new PendingLines();
    pending.handedOn(1);
    pending.isOverdue(0, 500);
    pending.handedOn(1);
    pending.isOverdue(400, 500);
    pending.answered(1);
    expect(pending.isOverdue(600, 500)).toBe(false);
    expect(pending.isOverdue(899, 500)).toBe(false);
    expect(pending.isOverdue(900, 500)).toBe(true);
  });

  test("forgets times when nothing waits", () => {
    const pending = new PendingLines();
    pending.handedOn(1);
    pending.isOverdue(0, 500);
    pending.answered(1);
    expect(pending.isOverdue(10_000, 500)).toBe(false);
    pending.handedOn(1);
    expect(pending.isOverdue(10_050, 500)).toBe(false);
    expect(pending.isOverdue(10_550, 500)).toBe(true);
  });

  test("never ends a line early and notices each soon, however many come", () => {
    const timeoutMs = 64_000;
    const pending = new PendingLines();
    const handedOnAt: number[] = [];
    let now = 0;
    for (; !pending.isOverdue(now, timeoutMs); now += 50) {
      pending.handedOn(10);
      handedOnAt.push(now);
      if (handedOnAt.length <= 500) pending.answered(9);
    }
    const oldest = handedOnAt[Math.floor((pending.total - pending.count) / 10)] ?? 0;
    expect(now - oldest).toBeGreaterThanOrEqual(timeoutMs);
    expect(now - oldest).toBeLessThanOrEqual(timeoutMs * (1 + 1 / 64) + 100);
  });

  test("counts anew when it was told to", () => {
    const pending = new PendingLines();
    pending.handedOn(1);
    pending.isOverdue(0, 500);
    pending.startAnew();
    expect(pending.isOverdue(500, 500)).toBe(false);
    expect(pending.isOverdue(1000, 500)).toBe(true);
  });
});

import { describe, expect, test } from "bun:test";
import { Admission, type Applicant } from "./admission.ts";

function applicant(name: string, told: string[]): Applicant {
  return { admitted: () => told.push(name) };
}

describe("admission", () => {
  test("gives places, then a queue, then refuses; a place given back goes to the first in the queue", () => {
    const told: string[] = [];
    const admission = new Admission(2, 2);
    const outcomes = ["a", "b", "c", "d", "e"].map((name) => admission.apply(applicant(name, told)));
    expect(outcomes).toEqual(["admitted", "admitted", "queued", "queued", "full"]);
    expect(admission.full).toBe(true);
    admission.release(5);
    expect(told).toEqual(["c"]);
    expect(admission.full).toBe(false);
    admission.release(5);
    admission.release(5);
    admission.release(5);
    expect(told).toEqual(["c", "d"]);
    expect([admission.running, admission.queued]).toEqual([0, 0]);
  });

  test("forgets who leaves the queue", () => {
    const told: string[] = [];
    const admission = new Admission(1, 5);
    admission.apply(applicant("a", told));
    const leaving = applicant("b", told);
    admission.apply(leaving);
    admission.apply(applicant("c", told));
    admission.withdraw(leaving);
    admission.release(1);
    expect(told).toEqual(["c"]);
  });

  test("without a queue refuses what has no place", () => {
    const admission = new Admission(1, 0);
    expect(admission.apply(applicant("a", []))).toBe("admitted");
    expect(admission.apply(applicant("b", []))).toBe("full");
  });

  test("tells when to come back by the measured service time and what is ahead, within 1 and 300 seconds", () => {
    const admission = new Admission(2, 10);
    expect(admission.retryAfterSeconds).toBe(1);
    admission.apply(applicant("a", []));
    admission.release(4000);
    for (let n = 0; n < 6; n++) admission.apply(applicant("x", []));
    expect(admission.retryAfterSeconds).toBe(12);
    admission.release(1e9);
    expect(admission.retryAfterSeconds).toBe(300);
  });

  test("takes new limits while it runs: more are admitted at once, fewer as places come back", () => {
    const told: string[] = [];
    const admission = new Admission(1, 5);
    for (const name of ["a", "b", "c", "d"]) admission.apply(applicant(name, told));
    admission.resize(3, 5);
    expect(told).toEqual(["b", "c"]);
    admission.resize(1, 5);
    admission.release(1);
    admission.release(1);
    expect(told).toEqual(["b", "c"]);
    admission.release(1);
    expect(told).toEqual(["b", "c", "d"]);
  });

  test("a long queue of applicants that all give their place back at once is emptied", () => {
    const admission = new Admission(1, 200_000);
    admission.apply(applicant("a", []));
    let admitted = 0;
    for (let n = 0; n < 200_000; n++) {
      admission.apply({
        admitted: () => {
          admitted++;
          admission.release(undefined);
        },
      });
    }
    admission.release(1);
    expect([admitted, admission.running, admission.queued]).toEqual([200_000, 0, 0]);
  });
});

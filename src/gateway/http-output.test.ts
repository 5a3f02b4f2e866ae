import { heapStats } from "bun:jsc";
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { HttpOutput, type Piece } from "./http-output.ts";

/** A kernel that takes as much of each write as it is told to. */
class Kernel {
  readonly writes: Buffer[] = [];
  readonly #takes: () => number;

  constructor(takes: () => number) {
    this.#takes = takes;
  }

  get text(): string {
    return Buffer.concat(this.writes).toString("latin1");
  }

  readonly write = (bytes: unknown, from = 0, length = 0): number => {
    const taken = Math.min(length, this.#takes());
    this.writes.push(Buffer.from((bytes as Uint8Array).slice(from, from + taken)));
    return taken;
  };
}

describe("output", () => {
  test("sends a head with a short body by one write", () => {
    const kernel = new Kernel(() => Infinity);
    const output = new HttpOutput(kernel);
    output.sendWhole("head\r\n", "ä", 2);
    output.sendWhole("head\xe9\r\n", Buffer.from("body"), 4);
    expect(kernel.writes.map((write) => write.toString("latin1"))).toEqual(["head\r\n\xc3\xa4", "head\xe9\r\nbody"]);
    expect(output.pendingBytes).toBe(0);
  });

  test("sends pieces together, and large ones from where they lie", () => {
    const kernel = new Kernel(() => Infinity);
    const output = new HttpOutput(kernel);
    for (const piece of ["a", Buffer.from("b"), "c"]) output.push(piece);
    output.flush();
    expect(kernel.writes).toHaveLength(1);
    output.sendWhole("head", Buffer.alloc(1_000_000, "x"), 1_000_000);
    expect(kernel.text).toBe(`abchead${"x".repeat(1_000_000)}`);
    expect(kernel.writes.length).toBeLessThanOrEqual(4);
  });

  test("keeps what is not taken, and tells how much that is", () => {
    let room = 3;
    const kernel = new Kernel(() => room);
    const output = new HttpOutput(kernel);
    output.sendWhole("head", "body", 4);
    expect([output.isBlocked, output.pendingBytes, kernel.text]).toEqual([true, 5, "hea"]);
    output.flush();
    expect(kernel.text).toBe("hea");
    room = 100;
    output.unblock();
    output.flush();
    expect([output.isBlocked, output.pendingBytes, kernel.text]).toEqual([false, 0, "headbody"]);
  });

  test("keeps small pieces for a client that takes nothing in about as much memory as they are", () => {
    const kernel = new Kernel(() => 0);
    const output = new HttpOutput(kernel);
    output.sendWhole("head", "", 0);
    Bun.gc(true);
    const before = heapStats();
    for (let count = 0; count < 1_000_000; count++) {
      output.push("\r\n1\r\n");
      output.push(new Uint8Array([97]));
    }
    Bun.gc(true);
    const after = heapStats();
    expect(output.pendingBytes).toBe(6_000_004);
    expect(after.objectCount - before.objectCount).toBeLessThan(10_000);
    expect(after.heapSize + after.extraMemorySize - before.heapSize - before.extraMemorySize).toBeLessThan(20 * 1024 * 1024);
  });

  test("waits when the socket is closed", () => {
    const output = new HttpOutput({ write: () => -1 });
    output.sendWhole("head", "body", 4);
    expect([output.isBlocked, output.pendingBytes]).toEqual([true, 8]);
    output.discard();
    expect(output.pendingBytes).toBe(0);
  });

  test("leaves nothing out and turns nothing around, however little is taken at a time", () => {
    const text = fc.string({ minLength: 1, maxLength: 20 });
    const large = fc.integer({ min: 1, max: 200_000 }).map((length) => Buffer.alloc(length, "abcdefg"));
    const piece: fc.Arbitrary<Piece> = fc.oneof(
      text,
      text.map((one) => Buffer.from(one)),
      large,
      fc.constant("h".repeat(70_000)),
    );
    const step = fc.oneof(
      fc.record({ do: fc.constant("push" as const), piece }),
      fc.record({ do: fc.constant("whole" as const), piece }),
      fc.record({ do: fc.constant("flush" as const), piece: text }),
    );
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 12 }),
        fc.array(fc.integer({ min: 0, max: 50_000 }), { minLength: 1, maxLength: 5 }),
        (steps, takes) => {
          let turn = 0;
          const kernel = new Kernel(() => takes[turn++ % takes.length] ?? 0);
          const output = new HttpOutput(kernel);
          let expected = "";
          for (const one of steps) {
            if (one.do === "push") output.push(one.piece);
            if (one.do === "whole") output.sendWhole("head", one.piece, one.piece.length);
            output.flush();
            if (one.do !== "flush") expected += (one.do === "whole" ? "head" : "") + Buffer.from(one.piece as string).toString("latin1");
          }
          takes.push(1_000);
          while (output.pendingBytes > 0) {
            output.unblock();
            output.flush();
          }
          expect(kernel.text === expected).toBeTrue();
        },
      ),
      { numRuns: 200 },
    );
  });
});

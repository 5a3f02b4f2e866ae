import { expect, test } from "bun:test";
import fc from "fast-check";
import { ByteQueue } from "./byte-queue.ts";

const pieces = fc.array(fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 900, maxLength: 1100 })), { maxLength: 200 });

test("what was put in comes out, in order, whole or piece by piece", () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.boolean()), (given, shifts) => {
      const queue = new ByteQueue();
      const taken: Uint8Array[] = [];
      for (const [index, piece] of given.entries()) {
        queue.push(piece);
        if (shifts[index] === true) taken.push(queue.shift() ?? new Uint8Array(0));
      }
      const waiting = queue.byteLength;
      const rest = queue.take();
      expect(rest.byteLength).toBe(waiting);
      expect(Buffer.concat([...taken, rest]).equals(Buffer.concat(given))).toBe(true);
      expect([queue.byteLength, queue.shift()]).toEqual([0, undefined]);
    }),
  );
});

test("a piece that nothing waits before, and a large one, are not copied", () => {
  const queue = new ByteQueue();
  const small = Buffer.from("a");
  queue.push(small);
  expect(queue.shift()).toBe(small);
  const large = Buffer.alloc(5000);
  queue.push(large);
  expect(queue.take()).toBe(large);
});

test("bytes that come one by one take about as much memory as they are", () => {
  const queue = new ByteQueue();
  const before = process.memoryUsage().rss;
  for (let count = 0; count < 2_000_000; count++) queue.push(new Uint8Array(1));
  Bun.gc(true);
  const counted = { pieces: 0, bytes: 0 };
  for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
    counted.pieces++;
    counted.bytes += piece.byteLength;
  }
  expect(counted.bytes).toBe(2_000_000);
  expect(counted.pieces).toBeLessThan(100);
  expect(process.memoryUsage().rss - before).toBeLessThan(100_000_000);
});

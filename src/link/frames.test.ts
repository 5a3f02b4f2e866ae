import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  type Frame,
  FrameReader,
  FrameViolation,
  frameHeaderBytes,
  frameTypes,
  headBytesMax,
  headText,
  utf8BytesMax,
  writeFrame,
  writeTextFrame,
} from "./frames.ts";

const megabyte = 1024 * 1024;

function encode(frames: readonly Frame[]): Buffer {
  return Buffer.concat(
    frames.map((frame) => {
      const bytes = Buffer.alloc(frameHeaderBytes + frame.head.length + frame.body.byteLength);
      const end = writeFrame(bytes, 0, frame.type, frame.exchange, frame.end, frame.head, frame.body);
      expect(end).toBe(bytes.length);
      return bytes;
    }),
  );
}

function read(chunks: readonly Buffer[], frameBytesMax = megabyte): Frame[] {
  const reader = new FrameReader(frameBytesMax);
  const frames: Frame[] = [];
  for (const chunk of chunks) reader.push(chunk, (frame) => frames.push(frame));
  return frames.map((frame) => ({ ...frame, body: new Uint8Array(frame.body) }));
}

const frame = fc.record({
  type: fc.constantFrom(...frameTypes),
  exchange: fc.nat(0xffff_ffff),
  end: fc.boolean(),
  head: fc.object().map((head) => headText(head)),
  body: fc.uint8Array({ maxLength: 300 }),
});

describe("frames", () => {
  test("are read as they were written, however the stream is cut into chunks", () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), fc.array(fc.integer({ min: 1, max: 97 }), { minLength: 1 }), (frames, cuts) => {
        const bytes = encode(frames);
        const chunks: Buffer[] = [];
        for (let from = 0, turn = 0; from < bytes.length; turn++) {
          const to = from + (cuts[turn % cuts.length] ?? 1);
          chunks.push(bytes.subarray(from, to));
          from = to;
        }
        expect(read(chunks)).toEqual(frames);
      }),
    );
  });

  test("keep any text in a head, though a character is a byte there", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const [only] = read([encode([{ type: "reply", exchange: 1, end: true, head: headText({ text }), body: new Uint8Array() }])]);
        expect(JSON.parse(only?.head ?? "")).toEqual({ text });
      }),
    );
  });

  test("over the maximum are refused at their header, before anything is kept for them", () => {
    const header = Buffer.alloc(frameHeaderBytes);
    header.writeUInt32LE(0xffff_ffff, 0);
    header[8] = 1;
    expect(() => read([header])).toThrow("A frame of 4294967295 bytes came, 1048576 are allowed");
    expect(() => read([header.subarray(0, 5), header.subarray(5)])).toThrow(FrameViolation);
  });

  test("of unknown type, or with a head longer than themselves, are refused", () => {
    const header = Buffer.alloc(frameHeaderBytes);
    expect(() => read([header])).toThrow("unknown type 0");
    header[8] = frameTypes.length + 1;
    expect(() => read([header])).toThrow(FrameViolation);
    header[8] = 1;
    header.writeUInt16LE(1, 10);
    expect(() => read([header])).toThrow("head is longer than the frame");
  });

  test("whatever bytes come, give frames or a violation and nothing else", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (chunks) => {
        try {
          for (const one of read(
            chunks.map((chunk) => Buffer.from(chunk)),
            4096,
          ))
            expect(one.head.length + one.body.byteLength).toBeLessThanOrEqual(4096);
        } catch (error) {
          expect(error).toBeInstanceOf(FrameViolation);
        }
      }),
    );
  });

  test("with a body of text are as those with its bytes", () => {
    fc.assert(
      fc.property(fc.object(), fc.string({ unit: "binary" }), (fields, text) => {
        const head = headText(fields);
        const target = Buffer.alloc(7 + frameHeaderBytes + head.length + text.length * utf8BytesMax);
        const end = writeTextFrame(target, 7, "reply", 9, head, text);
        const body = new Uint8Array(Buffer.from(text));
        expect(read([target.subarray(7, end)])).toEqual([{ type: "reply", exchange: 9, end: true, head, body }]);
      }),
    );
  });

  test("with a head that 16 bits cannot count are not written", () => {
    expect(() => writeFrame(Buffer.alloc(100), 0, "reply", 1, true, "x".repeat(headBytesMax + 1))).toThrow("65535 fit");
  });
});

import { expect, test } from "bun:test";
import { Channel, runnerFrameBytesMax } from "../link/channel.ts";
import type { Frame } from "../link/frames.ts";
import { LimitWatch } from "./limit-watch.ts";
import { TrialCall } from "./pool-trial.ts";
import { RunnerCall } from "./runner-call.ts";

/** What a runner says of a call: a reply and the `data` behind it, each with so many bytes. */
function said(bodyBytes: number, ...pieces: readonly number[]): TrialCall {
  const sink = new TrialCall();
  // It is never attached to a socket: what is sent goes nowhere.
  const channel = new Channel(runnerFrameBytesMax, { frame: () => {}, closed: () => {} });
  const limits = new LimitWatch(() => ({}), {});
  const host = { channel, id: "instance", limits, over: () => {}, givenUp: () => {}, busier: () => {}, lines: () => {} };
  const call = new RunnerCall(host, 1, sink);
  for (const [at, bytes] of pieces.entries()) {
    const frame: Frame = {
      type: at === 0 ? "reply" : "data",
      exchange: 1,
      end: at === pieces.length - 1,
      head: at === 0 ? JSON.stringify({ status: 200, headers: [], bodyBytes }) : "",
      body: new Uint8Array(bytes),
    };
    call.frame(frame);
  }
  return sink;
}

test("a reply may say how long it will be", () => {
  expect(said(30, 10, 15, 5)).toMatchObject({ bytes: 30, words: ["reply", "ended"] });
});

test.each([
  ["goes on beyond it", [10, 25, 5]],
  ["begins beyond it", [31, 0]],
  ["ends before it", [10, 5]],
])("one that %s is not to be understood", (_, pieces) => {
  expect(() => said(30, ...pieces)).toThrow("a reply came that is not as long as it said");
});

test.each([-1, 1.5, 1e300, "30", { valueOf: 1 }])("a length that is none, %p, is not heard", (length) => {
  expect(said(length as number, 10, 5)).toMatchObject({ bytes: 15, words: ["reply", "ended"] });
});

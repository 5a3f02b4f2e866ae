import { expect, test } from "bun:test";
import { type InstanceEvent, type InstanceState, transition } from "./instance-state.ts";

const stopped: InstanceState = { at: "stopped", reason: "why" };
const table: [InstanceState["at"], InstanceEvent["event"], InstanceState["at"] | undefined][] = [
  ["starting", "loaded", "ready"],
  ["starting", "freeze", undefined],
  ["starting", "wake", undefined],
  ["starting", "silent", undefined],
  ["starting", "answered", undefined],
  ["starting", "drain", "draining"],
  ["starting", "stopped", "stopped"],
  ["ready", "loaded", undefined],
  ["ready", "freeze", "frozen"],
  ["ready", "wake", undefined],
  ["ready", "silent", "unresponsive"],
  ["ready", "answered", undefined],
  ["ready", "drain", "draining"],
  ["ready", "stopped", "stopped"],
  ["frozen", "loaded", undefined],
  ["frozen", "freeze", undefined],
  ["frozen", "wake", "ready"],
  ["frozen", "silent", undefined],
  ["frozen", "answered", undefined],
  ["frozen", "drain", "draining"],
  ["frozen", "stopped", "stopped"],
  ["unresponsive", "loaded", undefined],
  ["unresponsive", "freeze", undefined],
  ["unresponsive", "wake", undefined],
  ["unresponsive", "silent", undefined],
  ["unresponsive", "answered", "ready"],
  ["unresponsive", "drain", "draining"],
  ["unresponsive", "stopped", "stopped"],
  ["draining", "loaded", undefined],
  ["draining", "freeze", undefined],
  ["draining", "wake", undefined],
  ["draining", "silent", undefined],
  ["draining", "answered", undefined],
  ["draining", "drain", undefined],
  ["draining", "stopped", "stopped"],
  ["stopped", "loaded", undefined],
  ["stopped", "freeze", undefined],
  ["stopped", "wake", undefined],
  ["stopped", "silent", undefined],
  ["stopped", "answered", undefined],
  ["stopped", "drain", undefined],
  ["stopped", "stopped", undefined],
];

test.each(table)("an instance that is %s at %s becomes %s", (from, event, to) => {
  const state: InstanceState = from === "stopped" ? stopped : { at: from };
  const happened: InstanceEvent = event === "stopped" ? { event, reason: "why" } : { event };
  const next = transition(state, happened);
  expect(next?.at).toBe(to);
  if (next?.at === "stopped") expect(next.reason).toBe("why");
});

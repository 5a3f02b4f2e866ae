import { expect, test } from "bun:test";
import { type InstanceEvent, type InstanceState, transition } from "./instance-state.ts";

const stopped: InstanceState = { at: "stopped", reason: "why" };
const table: [InstanceState["at"], InstanceEvent["event"], InstanceState["at"] | undefined][] = [
  ["starting", "loaded", "ready"],
  ["starting", "drain", "draining"],
  ["starting", "stopped", "stopped"],
  ["ready", "loaded", undefined],
  ["ready", "drain", "draining"],
  ["ready", "stopped", "stopped"],
  ["draining", "loaded", undefined],
  ["draining", "drain", undefined],
  ["draining", "stopped", "stopped"],
  ["stopped", "loaded", undefined],
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

import { expect, test } from "bun:test";
import { type ExchangeEvent, type ExchangeState, transition } from "./exchange-state.ts";

const states: ExchangeState[] = ["received", "queued", "dispatched", "replying", "done"];
const events: ExchangeEvent[] = ["enqueue", "dispatch", "reply", "finish"];
const allowed: Record<string, ExchangeState> = {
  "received enqueue": "queued",
  "received dispatch": "dispatched",
  "received finish": "done",
  "queued dispatch": "dispatched",
  "queued finish": "done",
  "dispatched reply": "replying",
  "dispatched finish": "done",
  "replying finish": "done",
};

test.each(states.flatMap((state) => events.map((event) => [state, event] as const)))("an exchange that is %s at %s", (state, event) => {
  expect(transition(state, event)).toBe(allowed[`${state} ${event}`]);
});

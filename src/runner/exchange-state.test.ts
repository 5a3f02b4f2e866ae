import { expect, test } from "bun:test";
import { endedBy, type ExchangeEvent, type ExchangeState, transition, waiting } from "./exchange-state.ts";

const states = {
  waiting,
  running: { phase: "running", program: "alive" },
  "running, exited": { phase: "running", program: "exited" },
  replying: { phase: "replying", program: "alive" },
  "replying, exited": { phase: "replying", program: "exited" },
  judging: { phase: "judging", program: "alive" },
  "judging, exited": { phase: "judging", program: "exited" },
  replied: { phase: "replied", program: "alive" },
  "replied, exited": { phase: "replied", program: "exited" },
  ending: { phase: "ending", program: "alive", cause: "deadline", ended: "alive" },
  "ending, exited": { phase: "ending", program: "exited", cause: "deadline", ended: "alive" },
  "ending what was left": { phase: "ending", program: "exited", cause: "deadline", ended: "exited" },
  silent: { phase: "ending", program: "exited", cause: "silent", ended: "exited" },
  ended: { phase: "ended" },
} as const satisfies Record<string, ExchangeState>;
type Name = keyof typeof states;

const events = {
  started: { type: "started" },
  refused: { type: "refused" },
  "reply-began": { type: "reply-began" },
  "reply-complete": { type: "reply-complete", awaitVerdict: false },
  "reply-to-judge": { type: "reply-complete", awaitVerdict: true },
  "reply-aborted": { type: "reply-aborted" },
  verdict: { type: "verdict" },
  exited: { type: "exited" },
  silent: { type: "silent" },
  stopped: { type: "stopped", cause: "deadline" },
  "tree-gone": { type: "tree-gone" },
} as const satisfies Record<string, ExchangeEvent>;
type Event = keyof typeof events;

/** Every move there is; any other event leaves a state as it is. */
const moves: Record<Name, Partial<Record<Event, Name>>> = {
  waiting: { started: "running", refused: "ended", stopped: "ended" },
  running: { "reply-began": "replying", exited: "running, exited", stopped: "ending" },
  "running, exited": { "reply-began": "replying, exited", silent: "silent", stopped: "ending what was left" },
  replying: {
    "reply-complete": "replied",
    "reply-to-judge": "judging",
    "reply-aborted": "replied",
    verdict: "replied",
    exited: "replying, exited",
    stopped: "ending",
  },
  "replying, exited": {
    "reply-complete": "replied, exited",
    "reply-to-judge": "judging, exited",
    "reply-aborted": "replied, exited",
    verdict: "replied, exited",
    stopped: "ending what was left",
  },
  judging: { verdict: "replied", exited: "judging, exited", stopped: "ending" },
  "judging, exited": { verdict: "replied, exited", stopped: "ending what was left" },
  replied: { exited: "replied, exited", stopped: "ending" },
  "replied, exited": { "tree-gone": "ended", stopped: "ending what was left" },
  ending: { exited: "ending, exited" },
  "ending, exited": { "tree-gone": "ended" },
  "ending what was left": { "tree-gone": "ended" },
  silent: { "tree-gone": "ended" },
  ended: {},
};

const table = (Object.keys(states) as Name[]).flatMap((state) =>
  (Object.keys(events) as Event[]).map((event) => [state, event, moves[state][event]] as const),
);

test.each(table)("%s, on %s", (state, event, next) => {
  const before: ExchangeState = states[state];
  const after = transition(before, events[event]);
  if (next === undefined) {
    // The same object, which is how the caller knows; or, for an exit seen twice, an equal one.
    expect(after).toEqual(before);
  } else {
    expect(after).toEqual(states[next]);
  }
});

test("a receipt says what ended the program", () => {
  expect(endedBy(states["replied, exited"], false, undefined)).toBe("itself");
  expect(endedBy(states["replied, exited"], false, "SIGSEGV")).toBe("kernel");
  expect(endedBy(states["replied, exited"], false, "SIGUSR1")).toBe("itself");
  expect(endedBy(states["ending, exited"], true, "SIGTERM")).toBe("deadline");
  expect(endedBy(states["ending what was left"], true, undefined)).toBe("leftover");
  expect(endedBy(states.silent, false, undefined)).toBe("itself");
  expect(endedBy(states.silent, true, undefined)).toBe("leftover");
});

import { expect, test } from "bun:test";
import { type Phase, phaseAfter, type PhaseEvent } from "./http-phase.ts";

const phases: readonly Phase[] = ["head", "exchange", "finishing", "lingering", "closed"];
const events: readonly PhaseEvent[] = ["request", "answered", "refused", "finished", "said-last", "gone"];
const possible: Readonly<Record<Phase, Partial<Record<PhaseEvent, Phase>>>> = {
  head: { request: "exchange", refused: "finishing", gone: "closed" },
  exchange: { answered: "finishing", gone: "closed" },
  finishing: { finished: "head", "said-last": "lingering", gone: "closed" },
  lingering: { gone: "closed" },
  closed: {},
};

test.each(phases.flatMap((phase) => events.map((event) => [phase, event] as const)))(
  "in %s, %s leads where the table says",
  (phase, event) => {
    expect(phaseAfter(phase, event)).toBe(possible[phase][event]);
  },
);

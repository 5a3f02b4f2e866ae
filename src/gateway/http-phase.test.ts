import { expect, test } from "bun:test";
import { type Phase, phaseAfter, type PhaseEvent } from "./http-phase.ts";

const phases: readonly Phase[] = ["head", "exchange", "finishing", "tunnel", "lingering", "closed"];
const events: readonly PhaseEvent[] = ["request", "answered", "switched", "refused", "finished", "said-last", "gone"];
const possible: Readonly<Record<Phase, Partial<Record<PhaseEvent, Phase>>>> = {
  head: { request: "exchange", refused: "finishing", gone: "closed" },
  exchange: { answered: "finishing", switched: "tunnel", gone: "closed" },
  tunnel: { gone: "closed" },
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

/**
 * Where a connection is. One exchange after the other: a request's head is only read when the answer before has gone to the
 * kernel and the body before has been read or skipped.
 */

export type Phase =
  /** A request's head is awaited, or has come in part. */
  | "head"
  /** A request is with the gateway; its body may still be coming, its answer may have begun. */
  | "exchange"
  /** The answer is whole; what is left of it goes out, and what is left of the request's body is skipped. */
  | "finishing"
  /** It is no longer HTTP. */
  | "tunnel"
  /** We have said all we had to say. What the client still sends is dropped, so that it gets to see the answer. */
  | "lingering"
  | "closed";

export type PhaseEvent = "request" | "answered" | "switched" | "refused" | "finished" | "said-last" | "gone";

/** The phase after an event; undefined: it cannot happen in this phase. */
export function phaseAfter(phase: Phase, event: PhaseEvent): Phase | undefined {
  if (event === "gone") return phase === "closed" ? undefined : "closed";
  switch (phase) {
    case "head":
      if (event === "request") return "exchange";
      return event === "refused" ? "finishing" : undefined;
    case "exchange":
      if (event === "answered") return "finishing";
      return event === "switched" ? "tunnel" : undefined;
    case "finishing":
      if (event === "finished") return "head";
      return event === "said-last" ? "lingering" : undefined;
    case "tunnel":
    case "lingering":
    case "closed":
      return undefined;
  }
}

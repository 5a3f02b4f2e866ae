/**
 * What signals do to a running `serve`: TERM and INT drain, a second INT ends everything at once, HUP reloads. A pure
 * machine; serve.ts delivers the signals and carries the actions out.
 */

export type ServeSignal = "SIGTERM" | "SIGINT" | "SIGHUP";

export type ServeState =
  /** Not listening yet: a stop is carried out as soon as there is something to stop. */
  | { readonly is: "starting"; readonly stopAsked: boolean }
  | { readonly is: "serving" }
  | { readonly is: "draining" }
  | { readonly is: "ending" };

export type ServeAction = "none" | "drain" | "end" | "reload";

export interface Step {
  readonly state: ServeState;
  readonly action: ServeAction;
}

export const initialState: ServeState = { is: "starting", stopAsked: false };

export function onStarted(state: ServeState): Step {
  if (state.is !== "starting") return { state, action: "none" };
  return state.stopAsked ? { state: { is: "draining" }, action: "drain" } : { state: { is: "serving" }, action: "none" };
}

export function onSignal(state: ServeState, signal: ServeSignal): Step {
  switch (state.is) {
    case "starting":
      if (signal === "SIGHUP") return { state, action: "none" };
      // Asked to stop, then INT again: somebody does not want to wait for the start to come to its end.
      if (state.stopAsked && signal === "SIGINT") return { state: { is: "ending" }, action: "end" };
      return { state: { is: "starting", stopAsked: true }, action: "none" };
    case "serving":
      return signal === "SIGHUP" ? { state, action: "reload" } : { state: { is: "draining" }, action: "drain" };
    case "draining":
      // Supervisors repeat TERM while they wait; only a person's INT means "now".
      return signal === "SIGINT" ? { state: { is: "ending" }, action: "end" } : { state, action: "none" };
    case "ending":
      return { state, action: "none" };
  }
}

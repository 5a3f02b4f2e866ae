/**
 * What signals do to a running `serve`: TERM and INT drain, a second INT ends everything at once, HUP reloads; and to a `dev` that waits
 * for its app to be mended. A pure machine; foreground.ts delivers the signals and carries the actions out.
 */

export type ServeSignal = "SIGTERM" | "SIGINT" | "SIGHUP";

export type ServeState =
  /** Not listening yet. Asked to stop, it gives the start up; one that came to its end all the same is drained. */
  | { readonly is: "starting"; readonly stopAsked: boolean }
  /** It could not start; the app is being mended. */
  | { readonly is: "waiting" }
  | { readonly is: "serving" }
  | { readonly is: "draining" }
  | { readonly is: "ending" };

export type ServeAction = "none" | "give-up" | "drain" | "end" | "reload" | "start-again" | "leave";

export interface Step {
  readonly state: ServeState;
  readonly action: ServeAction;
}

export const initialState: ServeState = { is: "starting", stopAsked: false };

export function onStarted(state: ServeState): Step {
  if (state.is !== "starting") return { state, action: "none" };
  return state.stopAsked ? { state: { is: "draining" }, action: "drain" } : { state: { is: "serving" }, action: "none" };
}

/** It did not start, for a reason that may be mended meanwhile. Nothing waits for that who was asked to stop. */
export function onStartFailed(state: ServeState): Step {
  return { state: state.is === "starting" && !state.stopAsked ? { is: "waiting" } : state, action: "none" };
}

/** What kept it from starting has changed. */
export function onChanged(state: ServeState): Step {
  return state.is === "waiting" ? { state: initialState, action: "start-again" } : { state, action: "none" };
}

export function onSignal(state: ServeState, signal: ServeSignal): Step {
  switch (state.is) {
    case "starting":
      if (signal === "SIGHUP") return { state, action: "none" };
      // Asked to stop, then INT again: somebody does not want to wait for what was begun to be taken away.
      if (state.stopAsked && signal === "SIGINT") return { state: { is: "ending" }, action: "end" };
      return { state: { is: "starting", stopAsked: true }, action: state.stopAsked ? "none" : "give-up" };
    case "waiting":
      return signal === "SIGHUP" ? onChanged(state) : { state: { is: "ending" }, action: "leave" };
    case "serving":
      return signal === "SIGHUP" ? { state, action: "reload" } : { state: { is: "draining" }, action: "drain" };
    case "draining":
      // Supervisors repeat TERM while they wait; only a person's INT means "now".
      return signal === "SIGINT" ? { state: { is: "ending" }, action: "end" } : { state, action: "none" };
    case "ending":
      return { state, action: "none" };
  }
}

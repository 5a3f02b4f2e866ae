/**
 * The life of an instance: one pure machine.
 *
 *   starting → ready → draining → stopped(reason)
 *
 * Any state but stopped may go to stopped; an instance may be drained before it was ready.
 */
export type InstanceState =
  | { readonly at: "starting" }
  | { readonly at: "ready" }
  | { readonly at: "draining" }
  | { readonly at: "stopped"; readonly reason: string };

export type InstanceEvent =
  | { readonly event: "loaded" }
  | { readonly event: "drain" }
  | { readonly event: "stopped"; readonly reason: string };

/** The state after the event; undefined: the event changes nothing. */
export function transition(state: InstanceState, happened: InstanceEvent): InstanceState | undefined {
  switch (happened.event) {
    case "loaded":
      return state.at === "starting" ? { at: "ready" } : undefined;
    case "drain":
      return state.at === "starting" || state.at === "ready" ? { at: "draining" } : undefined;
    case "stopped":
      return state.at === "stopped" ? undefined : { at: "stopped", reason: happened.reason };
  }
}

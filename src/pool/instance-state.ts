/**
 * The life of an instance: one pure machine.
 *
 *   starting → ready → draining → stopped(reason)
 *              ready ⇄ frozen
 *              ready ⇄ unresponsive
 *
 * Any state but stopped may go to stopped, and any but stopped may be drained. A frozen instance is stopped in place and
 * is continued before it gets work; an unresponsive one has not answered in time and gets none until it does.
 */
export type InstanceState =
  | { readonly at: "starting" }
  | { readonly at: "ready" }
  | { readonly at: "frozen" }
  | { readonly at: "unresponsive" }
  | { readonly at: "draining" }
  | { readonly at: "stopped"; readonly reason: string };

export type InstanceEvent =
  | { readonly event: "loaded" }
  | { readonly event: "freeze" }
  | { readonly event: "wake" }
  | { readonly event: "silent" }
  | { readonly event: "answered" }
  | { readonly event: "drain" }
  | { readonly event: "stopped"; readonly reason: string };

/** The state after the event; undefined: the event changes nothing. */
export function transition(state: InstanceState, happened: InstanceEvent): InstanceState | undefined {
  switch (happened.event) {
    case "loaded":
      return state.at === "starting" ? { at: "ready" } : undefined;
    case "freeze":
      return state.at === "ready" ? { at: "frozen" } : undefined;
    case "wake":
      return state.at === "frozen" ? { at: "ready" } : undefined;
    case "silent":
      return state.at === "ready" ? { at: "unresponsive" } : undefined;
    case "answered":
      return state.at === "unresponsive" ? { at: "ready" } : undefined;
    case "drain":
      return state.at === "draining" || state.at === "stopped" ? undefined : { at: "draining" };
    case "stopped":
      return state.at === "stopped" ? undefined : { at: "stopped", reason: happened.reason };
  }
}

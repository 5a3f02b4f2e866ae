/**
 * An exchange as its client sees it: one pure machine. What the instance still does after the reply (a program may outlive
 * it) is not part of it.
 *
 *   received → queued → dispatched → replying → done
 *
 * Any state but done may go to done; received may skip the queue.
 */
export type ExchangeState = "received" | "queued" | "dispatched" | "replying" | "done";
export type ExchangeEvent = "enqueue" | "dispatch" | "reply" | "finish";

const transitions: Readonly<Record<ExchangeState, Partial<Record<ExchangeEvent, ExchangeState>>>> = {
  received: { enqueue: "queued", dispatch: "dispatched", finish: "done" },
  queued: { dispatch: "dispatched", finish: "done" },
  dispatched: { reply: "replying", finish: "done" },
  replying: { finish: "done" },
  done: {},
};

/** The state after the event; undefined: the event came too late or too early and changes nothing. */
export function transition(state: ExchangeState, event: ExchangeEvent): ExchangeState | undefined {
  return transitions[state][event];
}

/** What an exchange was doing, for the sentence that says where its deadline passed. @param what "program" or "function". */
export function doing(state: ExchangeState, what: string): string {
  switch (state) {
    case "received":
      return "the request's body was being received";
    case "queued":
      return "the request waited in the queue";
    case "dispatched":
      return `the ${what} was running`;
    case "replying":
      return "the reply was being sent";
    case "done":
      return `the ${what} ran on after its reply`;
  }
}

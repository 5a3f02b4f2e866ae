import { expect, test } from "bun:test";
import {
  initialState,
  onChanged,
  onSignal,
  onStarted,
  onStartFailed,
  type ServeAction,
  type ServeSignal,
  type ServeState,
} from "./serve-signals.ts";

const serving: ServeState = { is: "serving" };
const stopAsked: ServeState = { is: "starting", stopAsked: true };
const waiting: ServeState = { is: "waiting" };
const draining: ServeState = { is: "draining" };
const ending: ServeState = { is: "ending" };

const table: readonly (readonly [ServeState, ServeSignal, ServeState, ServeAction])[] = [
  [initialState, "SIGTERM", stopAsked, "give-up"],
  [initialState, "SIGINT", stopAsked, "give-up"],
  [initialState, "SIGHUP", initialState, "none"],
  [stopAsked, "SIGTERM", stopAsked, "none"],
  [stopAsked, "SIGINT", ending, "end"],
  [stopAsked, "SIGHUP", stopAsked, "none"],
  [waiting, "SIGTERM", ending, "leave"],
  [waiting, "SIGINT", ending, "leave"],
  [waiting, "SIGHUP", initialState, "start-again"],
  [serving, "SIGTERM", draining, "drain"],
  [serving, "SIGINT", draining, "drain"],
  [serving, "SIGHUP", serving, "reload"],
  [draining, "SIGTERM", draining, "none"],
  [draining, "SIGINT", ending, "end"],
  [draining, "SIGHUP", draining, "none"],
  [ending, "SIGTERM", ending, "none"],
  [ending, "SIGINT", ending, "none"],
  [ending, "SIGHUP", ending, "none"],
];

for (const [state, signal, next, action] of table) {
  const name = state.is === "starting" && state.stopAsked ? "starting, asked to stop" : state.is;
  test(`${name}: ${signal} makes it ${next.is} and does ${action}`, () => expect(onSignal(state, signal)).toEqual({ state: next, action }));
}

test("a start that nobody stopped serves, one that was asked to stop drains, one that was ended stays so", () => {
  expect(onStarted(initialState)).toEqual({ state: serving, action: "none" });
  expect(onStarted(stopAsked)).toEqual({ state: draining, action: "drain" });
  expect(onStarted(ending)).toEqual({ state: ending, action: "none" });
});

test("a start that failed waits for a change, unless it was asked to stop; then it starts again, once", () => {
  expect(onStartFailed(initialState)).toEqual({ state: waiting, action: "none" });
  for (const state of [stopAsked, ending]) expect(onStartFailed(state)).toEqual({ state, action: "none" });
  expect(onChanged(waiting)).toEqual({ state: initialState, action: "start-again" });
  for (const state of [initialState, stopAsked, serving, ending]) expect(onChanged(state)).toEqual({ state, action: "none" });
});

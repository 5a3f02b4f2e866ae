import { expect, test } from "bun:test";
import { initialState, onSignal, onStarted, type ServeAction, type ServeSignal, type ServeState } from "./serve-signals.ts";

const serving: ServeState = { is: "serving" };
const stopAsked: ServeState = { is: "starting", stopAsked: true };
const draining: ServeState = { is: "draining" };
const ending: ServeState = { is: "ending" };

const table: readonly (readonly [ServeState, ServeSignal, ServeState, ServeAction])[] = [
  [initialState, "SIGTERM", stopAsked, "none"],
  [initialState, "SIGINT", stopAsked, "none"],
  [initialState, "SIGHUP", initialState, "none"],
  [stopAsked, "SIGTERM", stopAsked, "none"],
  [stopAsked, "SIGINT", ending, "end"],
  [stopAsked, "SIGHUP", stopAsked, "none"],
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

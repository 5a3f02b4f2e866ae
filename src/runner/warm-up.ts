/**
 * What a spare runner does while nobody needs it: it loads what serves functions and daemons and calls a function of its own,
 * so that the app that takes it pays for its own code alone.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { Channel, hostFrameBytesMax } from "../link/channel.ts";
import { headText } from "../link/frames.ts";
import type { CallHead } from "../link/messages.ts";
import { noteResponses } from "../sdk/made-response.ts";
import { mediaTypesByStatus } from "../sdk/result.ts";
import { AbandonedCalls } from "./abandoned-calls.ts";
import { type CallParts, FunctionCall } from "./function-call.ts";
import type { FunctionContext } from "./function-context.ts";
import type { FunctionInput } from "./function-input.ts";
import { FunctionLog, type LogSource } from "./function-log.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import "./functions.ts";
import "./service.ts";

const head: CallHead = {
  call: 0,
  id: "warm-up",
  method: "POST",
  path: "/",
  query: "",
  host: "localhost",
  headers: ["accept", "*/*"],
  body: "json",
  deadline: 0,
};

export function warmUp(): void {
  noteResponses();
  // It is never attached to a socket: what is sent goes nowhere.
  const channel = new Channel(hostFrameBytesMax, { frame: () => {}, closed: () => {} });
  const parts: CallParts = {
    channel,
    open: new OpenExchanges(channel),
    log: new FunctionLog(channel),
    instance: "",
    secrets: undefined,
    running: new AsyncLocalStorage<LogSource>(),
    abandoned: new AbandonedCalls(() => {}),
    callsOpen: 0,
  };
  const value = ({ body, headers }: FunctionInput, { log }: FunctionContext) => {
    log.debug("warm");
    return { status: 201, body: { body, headers } };
  };
  const response = async ({ request }: FunctionInput) => new Response(await request.text());
  for (const [at, call] of [value, response].entries()) {
    const found = { kind: "function", call: call as (...args: readonly unknown[]) => unknown } as const;
    const called = { found, operation: "", name: "", mediaTypeOf: mediaTypesByStatus(undefined) };
    new FunctionCall(parts, called, at, headText(head)).begin(Buffer.from("{}"), true);
  }
}

import { describe, expect, test } from "bun:test";
import { type Environment, readServeSettings, type ServeFlags, type ServeSettings } from "./settings.ts";

function read(flags: ServeFlags, environment: Environment = {}): ServeSettings {
  const outcome = readServeSettings(flags, environment);
  if (!outcome.ok) throw new Error(outcome.problems.map(({ message }) => message).join("; "));
  return outcome.settings;
}

function problems(flags: ServeFlags, environment: Environment = {}): string[] {
  const outcome = readServeSettings(flags, environment);
  return outcome.ok ? [] : outcome.problems.map(({ message }) => message);
}

test("without flags and variables the defaults hold", () => {
  expect(read({})).toEqual({ port: 8080, address: "127.0.0.1", timing: false, watch: false, graceMs: 30_000, log: "auto" });
});

test("a variable wins over the default, and a flag over the variable", () => {
  const environment = {
    UROCKET_PORT: "1",
    UROCKET_ADDRESS: "::1",
    UROCKET_TIMING: "1",
    UROCKET_WATCH: "true",
    UROCKET_GRACE: "5s",
    UROCKET_LOG: "json",
  };
  expect(read({}, environment)).toEqual({ port: 1, address: "::1", timing: true, watch: true, graceMs: 5000, log: "json" });
  const flags = { port: "2", address: "127.0.0.2", timing: false, watch: false, grace: "100", log: "pretty" };
  expect(read(flags, environment)).toEqual({ port: 2, address: "127.0.0.2", timing: false, watch: false, graceMs: 100, log: "pretty" });
});

test("an empty variable counts as unset", () => {
  expect(read({}, { UROCKET_PORT: "", UROCKET_TIMING: "" })).toMatchObject({ port: 8080, timing: false });
});

test("every bad value is told at once, with where it came from", () => {
  expect(problems({ port: "80a", grace: "soon" }, { UROCKET_LOG: "xml", UROCKET_TIMING: "maybe", UROCKET_PORT: "also bad" })).toEqual([
    'Cannot use --port "80a": it is not a port',
    'Cannot use UROCKET_TIMING "maybe": it is neither true nor false',
    'Cannot use --grace "soon": it is not a duration',
    'Cannot use UROCKET_LOG "xml": it is no form of log',
  ]);
});

describe("ports", () => {
  for (const port of ["0", "1", "65535"]) test(`${port} is one`, () => expect(read({ port }).port).toBe(Number(port)));
  for (const port of ["", "-1", "65536", "1e3", "0x50", " 80", "80.5", "999999"]) {
    test(`${JSON.stringify(port)} is none`, () => expect(problems({ port })).toHaveLength(1));
  }
});

describe("addresses", () => {
  const good = {
    "127.0.0.1": "127.0.0.1",
    "0.0.0.0": "0.0.0.0",
    "::": "::",
    "[::1]": "::1",
    localhost: "localhost",
    "pi.local": "pi.local",
  };
  for (const [address, read_] of Object.entries(good)) test(`${address} is one`, () => expect(read({ address }).address).toBe(read_));
  for (const address of ["", "1.2.3", "256.0.0.1", "a b", "http://x", "127.0.0.1:80", "-x", "a..b", ":::"]) {
    test(`${JSON.stringify(address)} is none`, () => expect(problems({ address })).toHaveLength(1));
  }
});

test("a grace of up to a day is taken", () => {
  expect(read({ grace: "24h" }).graceMs).toBe(86_400_000);
  expect(read({ grace: "0" }).graceMs).toBe(0);
  expect(problems({ grace: "25h" })).toEqual(['Cannot use --grace "25h": it is longer than a day']);
});

test("a variable that is like one of ours but for a slip is told", () => {
  const outcome = readServeSettings({}, { UROCKET_PROT: "80", UROCKET_DATA: "/x", UROCKET_SOCKET: "/y", OTHER: "1", UROCKET_PORT: "81" });
  expect(outcome).toMatchObject({ ok: true, settings: { port: 81 } });
  expect(outcome.ok && outcome.warnings).toEqual([
    { message: "UROCKET_PROT is not a setting and is ignored", hint: "Did you mean UROCKET_PORT?" },
  ]);
});

import { describe, expect, test } from "bun:test";
import { type Environment, readServeSettings, type ServeFlags, type ServeMode, type ServeSettings } from "./settings.ts";

const machine = { memoryBytes: 4 * 2 ** 30 };

function read(flags: ServeFlags, environment: Environment = {}, mode: ServeMode = "serve"): ServeSettings {
  const outcome = readServeSettings(mode, flags, environment, machine);
  if (!outcome.ok) throw new Error(outcome.problems.map(({ message }) => message).join("; "));
  return outcome.settings;
}

function problems(flags: ServeFlags, environment: Environment = {}): string[] {
  const outcome = readServeSettings("serve", flags, environment, machine);
  return outcome.ok ? [] : outcome.problems.map(({ message }) => message);
}

test("without flags and variables the defaults hold", () => {
  const common = { port: 8080, address: "127.0.0.1", timing: false, graceMs: 30_000, requests: "all", spares: 1 } as const;
  expect(read({})).toEqual({ ...common, watch: false, log: "auto", docs: false });
  expect(read({}, {}, "dev")).toEqual({ ...common, watch: true, log: "pretty", docs: true });
});

test("dev watches whatever is said elsewhere; its other defaults give way", () => {
  const environment = { UROCKET_WATCH: "0", UROCKET_LOG: "json" };
  expect(read({ docs: false }, environment, "dev")).toMatchObject({ watch: true, log: "json", docs: false });
});

test("a small machine keeps no spares, unless told to", () => {
  const small = { memoryBytes: 2 ** 30 - 1 };
  expect(readServeSettings("serve", {}, {}, small)).toMatchObject({ settings: { spares: 0 } });
  expect(readServeSettings("serve", { spares: "2" }, {}, small)).toMatchObject({ settings: { spares: 2 } });
});

test("spares are a small number", () => {
  expect([read({ spares: "0" }).spares, read({}, { UROCKET_SPARES: "64" }).spares]).toEqual([0, 64]);
  for (const spares of ["", "-1", "65", "1.5", "many"]) {
    expect(problems({ spares })).toEqual([`Cannot use --spares ${JSON.stringify(spares)}: it is not a number from 0 to 64`]);
  }
});

test("secrets are in the folder that is named, else where systemd put them, else nowhere", () => {
  const environment = { UROCKET_SECRETS_DIR: "/etc/urocket", CREDENTIALS_DIRECTORY: "/run/credentials/urocket" };
  expect(read({ secrets: "mine" }, environment).secretsFolder).toBe(`${process.cwd()}/mine`);
  expect(read({}, environment).secretsFolder).toBe("/etc/urocket");
  expect(read({}, { ...environment, UROCKET_SECRETS_DIR: "" }).secretsFolder).toBe("/run/credentials/urocket");
  expect(read({}).secretsFolder).toBeUndefined();
  expect(problems({ secrets: "" })).toEqual(['Cannot use --secrets "": it is empty']);
});

test("a variable wins over the default, and a flag over the variable", () => {
  const environment = {
    UROCKET_PORT: "1",
    UROCKET_ADDRESS: "::1",
    UROCKET_TIMING: "1",
    UROCKET_WATCH: "true",
    UROCKET_GRACE: "5s",
    UROCKET_LOG: "json",
    UROCKET_REQUESTS: "failed",
    UROCKET_SPARES: "3",
    UROCKET_DOCS: "yes",
  };
  const said = {
    port: 1,
    address: "::1",
    timing: true,
    watch: true,
    graceMs: 5000,
    log: "json",
    requests: "failed",
    spares: 3,
    docs: true,
  } as const;
  expect(read({}, environment)).toEqual(said);
  const flags = { port: "2", address: "127.0.0.2", timing: false, watch: false, grace: "100", log: "pretty", requests: "all", docs: false };
  expect(read({ ...flags, spares: "4" }, environment)).toEqual({
    port: 2,
    address: "127.0.0.2",
    timing: false,
    watch: false,
    graceMs: 100,
    log: "pretty",
    requests: "all",
    spares: 4,
    docs: false,
  });
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
  const outcome = readServeSettings(
    "serve",
    {},
    { UROCKET_PROT: "80", UROCKET_DATA: "/x", UROCKET_SOCKET: "/y", OTHER: "1", UROCKET_PORT: "81" },
    machine,
  );
  expect(outcome).toMatchObject({ ok: true, settings: { port: 81 } });
  expect(outcome.ok && outcome.warnings).toEqual([
    { message: "UROCKET_PROT is not a setting and is ignored", hint: "Did you mean UROCKET_PORT?" },
  ]);
});

test("which requests are logged is all of them or those that failed", () => {
  expect(read({ requests: "failed" }).requests).toBe("failed");
  expect(read({}, { UROCKET_REQUESTS: "failed" }).requests).toBe("failed");
  expect(problems({ requests: "some" })).toEqual(['Cannot use --requests "some": it does not say which requests']);
});

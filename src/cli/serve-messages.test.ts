import { expect, test } from "bun:test";
import type { ServeSettings } from "../config/settings.ts";
import type { RunningHost, ServedApp, StartFailure } from "../host/host.ts";
import { tellReloaded, tellStarted, tellStartFailure, tellTypes } from "./serve-messages.ts";
import type { Stream } from "./terminal.ts";

const settings: ServeSettings = {
  port: 8080,
  address: "127.0.0.1",
  timing: false,
  watch: false,
  graceMs: 30_000,
  log: "auto",
  requests: "all",
  spares: 1,
  docs: false,
  network: { bridge: "urocket0", subnet: "10.201.0.0/16", subnet6: "fd75:726f:636b:c9::/64" },
  trustedProxies: [],
  dataFolder: "/var/lib/urocket",
};

const pets: ServedApp = {
  name: "pets",
  folder: "/srv/pets",
  sandbox: "process",
  network: "open",
  operations: [
    { method: "GET", path: "/pets", validated: true, handled: true, handler: "function", operationId: "listPets" },
    { method: "POST", path: "/pets/new", validated: true, handled: false },
  ],
  listeners: [],
  limitsNotHeld: [],
};

const nothing = (): Promise<void> => Promise.resolve();

function hostOf(...apps: ServedApp[]): RunningHost {
  return {
    url: "http://127.0.0.1:8080",
    apps,
    instances: () => [],
    running: () => [],
    reload: () => Promise.resolve({ apps: [] }),
    drain: nothing,
    stop: nothing,
  };
}

function said(tell: (stream: Stream) => void, isTerminal = false): string[] {
  const lines: string[] = [];
  tell({ isTerminal, colours: false, line: (text) => void lines.push(text), write: nothing, flush: nothing });
  return lines;
}

test("a start names every app with its operations and folder, then the address", () => {
  expect(said((stream) => tellStarted(stream, hostOf(pets), settings, "/srv"))).toEqual([
    "pets: 2 operations, 1 without a handler from pets",
    "  GET    /pets      function   listPets",
    "  POST   /pets/new  no handler",
    "Serving at http://127.0.0.1:8080",
  ]);
});

test("a start tells where lines are taken, and where contracts are shown if they are", () => {
  const listeners = [{ name: "tcp:1234", url: "tcp://127.0.0.1:1234" }];
  const fibber: ServedApp = {
    name: "fibber",
    folder: "/srv/fibber",
    sandbox: "process",
    network: "open",
    operations: [],
    listeners,
    limitsNotHeld: [],
  };
  expect(said((stream) => tellStarted(stream, hostOf(fibber), { ...settings, docs: true }, "/srv"))).toEqual([
    "fibber: 0 operations, 1 listener from fibber",
    "  lines at tcp://127.0.0.1:1234",
    "Contracts at http://127.0.0.1:8080/_docs",
    "Serving at http://127.0.0.1:8080",
  ]);
});

test("verbs are in a column, and what takes every path is told once", () => {
  const operations = [
    { method: "OPTIONS", path: "/a", validated: false, handled: true, handler: "program" as const },
    { method: "GET", path: "/bb", validated: false, handled: true, handler: "function" as const },
    ...["GET", "PUT"].map((method) => ({ method, path: "/*", validated: false, handled: true, handler: "function" as const })),
  ];
  const told = (app: ServedApp): string[] => said((stream) => tellStarted(stream, hostOf(app), settings, "/srv")).slice(0, -1);
  expect(told({ ...pets, operations })).toEqual([
    "pets: 2 operations, every other path from pets",
    "  OPTIONS /a   program",
    "  GET     /bb  function",
    "  any     /*   function",
  ]);
  expect(told({ ...pets, operations: operations.slice(2) })).toEqual(["pets: every path from pets"]);
});

test("of many operations a start lists the first", () => {
  const operations = Array.from({ length: 30 }, (_, number) => ({ method: "GET", path: `/${number}`, validated: false, handled: true }));
  const lines = said((stream) => tellStarted(stream, hostOf({ ...pets, operations }), settings, "/srv"));
  expect(lines).toHaveLength(23);
  expect(lines[21]).toBe("  and 10 more; `urocket check` shows all");
});

test("types that are wrong are warnings, with the app served; that they are right again is told", () => {
  const problems = [{ severity: "error", file: "/srv/pets/x.ts", message: "Not assignable" } as const];
  const app = { name: "pets", folder: "/srv/pets" };
  expect(said((stream) => tellTypes(stream, { ...app, problems }, "/srv"))).toEqual([
    "pets/x.ts: warning: Not assignable",
    "warning: pets: 1 type error; it is served all the same",
  ]);
  expect(said((stream) => tellTypes(stream, { ...app, problems: [] }, "/srv"))).toEqual(["pets: types are right again"]);
});

test("a start tells which apps are in containers, and what they are connected by", () => {
  const network = { bridge: "urocket0", gateway: "10.201.0.1", gateway6: "fd00::1" };
  const host = { ...hostOf({ ...pets, sandbox: "container" }), network };
  const lines = said((stream) => tellStarted(stream, host, settings, "/srv"));
  expect(lines[0]).toBe("pets: 2 operations, 1 without a handler from pets, in containers");
  expect(lines.at(-2)).toBe("Containers are on the bridge urocket0, where this host is 10.201.0.1 and fd00::1");
});

test("a start tells that containers without a bridge reach nothing", () => {
  const lines = said((stream) => tellStarted(stream, hostOf({ ...pets, sandbox: "container" }), settings, "/srv"));
  expect(lines[0]).toBe("warning: Containers reach nothing but themselves, whatever `network` says: a bridge needs root");
  const app = { ...pets, sandbox: "container", network: "none" } as const;
  expect(said((stream) => tellStarted(stream, hostOf(app), settings, "/srv"))[0]).not.toContain("warning");
});

test("a start tells limits that this machine does not let us hold", () => {
  const limitsNotHeld = ["memory 256Mi is not held, because control groups cannot be made here"];
  expect(said((stream) => tellStarted(stream, hostOf({ ...pets, limitsNotHeld }), settings, "/srv"))[0]).toBe(
    `warning: pets: ${limitsNotHeld[0]}`,
  );
});

test("a start for other machines says what is exposed, and none for this one does", () => {
  const exposed = (address: string): boolean =>
    said((stream) => tellStarted(stream, hostOf(pets), { ...settings, address }, "/srv")).some((line) =>
      line.includes("without a password"),
    );
  expect(["0.0.0.0", "::", "192.0.2.7", "pi.local"].map(exposed)).toEqual([true, true, true, true]);
  expect(["127.0.0.1", "127.8.9.1", "::1", "localhost"].map(exposed)).toEqual([false, false, false, false]);
});

test("on a terminal it says how to stop", () => {
  expect(said((stream) => tellStarted(stream, hostOf(pets), settings, "/srv"), true).at(-1)).toBe(
    "Serving at http://127.0.0.1:8080 (Ctrl-C stops)",
  );
});

test("a failed start says what to do, and gives the exit code", () => {
  const failed = (failure: StartFailure): { lines: string[]; code: number } => {
    let code = -1;
    const lines = said((stream) => {
      code = tellStartFailure(stream, failure, "/srv");
    });
    return { lines, code };
  };
  expect(failed({ kind: "address-in-use", message: "m", hint: "choose another" })).toEqual({
    lines: ["error: m", "  choose another"],
    code: 1,
  });
  expect(failed({ kind: "instance-failed", message: "m" })).toEqual({ lines: ["error: m"], code: 1 });
  expect(failed({ kind: "instance-failed", message: "its instance cannot start its container: mount" }).lines[1]).toBe(
    "  `urocket doctor` tells what this machine lacks for containers.",
  );
  const message = "its service is not ready: a daemon with a port of its own needs sandbox: container";
  expect(failed({ kind: "instance-failed", message }).lines).toEqual([`error: ${message}`]);
  const problems = [{ severity: "error", file: "/srv/pets/x.yaml", message: "Broken" } as const];
  expect(failed({ kind: "configuration", problems })).toEqual({
    lines: ["pets/x.yaml: error: Broken", "error: Cannot serve: 1 error in the configuration"],
    code: 2,
  });
});

test("a reload tells each app's outcome, problems first", () => {
  const outcome = {
    apps: [
      {
        name: "a",
        folder: "/srv/a",
        outcome: "reloaded",
        tookMs: 84.6,
        problems: [{ severity: "warning", file: "/srv/a/x.yaml", message: "Doubtful" }],
      },
      { name: "b", folder: "/srv/b", outcome: "unchanged", problems: [] },
      { name: "c", folder: "/srv/c", outcome: "kept-old", problems: [{ severity: "error", file: "/srv/c/x.yaml", message: "Broken" }] },
      { name: "given-up", folder: "/srv/d", outcome: "kept-old", problems: [] },
    ],
  } as const;
  expect(said((stream) => tellReloaded(stream, outcome, "/srv"))).toEqual([
    "a/x.yaml: warning: Doubtful",
    "a: reloaded in 85 ms",
    "b: unchanged",
    "c/x.yaml: error: Broken",
    "error: c: the new version has errors; the one before it is still served",
  ]);
});

import { expect, test } from "bun:test";
import type { ServeSettings } from "../config/settings.ts";
import type { RunningHost, ServedApp, StartFailure } from "../host/host.ts";
import { tellReloaded, tellStarted, tellStartFailure } from "./serve-messages.ts";
import type { Stream } from "./terminal.ts";

const settings: ServeSettings = { port: 8080, address: "127.0.0.1", timing: false, watch: false, graceMs: 30_000, log: "auto" };

const pets: ServedApp = {
  name: "pets",
  folder: "/srv/pets",
  operations: [
    { method: "GET", path: "/pets", validated: true, handled: true },
    { method: "POST", path: "/pets", validated: true, handled: false },
  ],
  limitsNotHeld: [],
};

function hostOf(...apps: ServedApp[]): RunningHost {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    url: "http://127.0.0.1:8080",
    apps,
    running: () => [],
    reload: () => Promise.resolve({ apps: [] }),
    drain: nothing,
    stop: nothing,
  };
}

function said(tell: (stream: Stream) => void, isTerminal = false): string[] {
  const lines: string[] = [];
  tell({ isTerminal, colours: false, line: (text) => void lines.push(text), flush: () => Promise.resolve() });
  return lines;
}

test("a start names every app with its operations and folder, then the address", () => {
  expect(said((stream) => tellStarted(stream, hostOf(pets), settings, "/srv"))).toEqual([
    "pets: 2 operations, 1 without a handler from pets",
    "Serving at http://127.0.0.1:8080",
  ]);
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
  const problems = [{ severity: "error", file: "/srv/pets/x.yaml", message: "Broken" } as const];
  expect(failed({ kind: "configuration", problems })).toEqual({
    lines: ["pets/x.yaml: error: Broken", "error: Cannot serve: 1 error in the configuration"],
    code: 2,
  });
});

test("a reload tells each app's outcome, problems first", () => {
  const outcome = {
    apps: [
      { name: "a", folder: "/srv/a", outcome: "reloaded", problems: [{ severity: "warning", file: "/srv/a/x.yaml", message: "Doubtful" }] },
      { name: "b", folder: "/srv/b", outcome: "unchanged", problems: [] },
      { name: "c", folder: "/srv/c", outcome: "kept-old", problems: [{ severity: "error", file: "/srv/c/x.yaml", message: "Broken" }] },
    ],
  } as const;
  expect(said((stream) => tellReloaded(stream, outcome, "/srv"))).toEqual([
    "a/x.yaml: warning: Doubtful",
    "a: reloaded",
    "b: unchanged",
    "c/x.yaml: error: Broken",
    "error: c: the new version has errors; the one before it is still served",
  ]);
});

import { describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { RunnerBundle, runnerSource } from "./runner-bundle.ts";

function folder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "urocket-bundle-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** Starts a runner without a host to connect to: it says so, and ends. */
async function lastWords(file: string): Promise<string> {
  const runner = Bun.spawn({
    cmd: [process.execPath, "--no-env-file", "--no-install", "--config=/dev/null", file],
    env: { UROCKET_LINK: "/nowhere/link.sock" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const words = await runner.stderr.text();
  expect(await runner.exited).toBe(1);
  return words;
}

describe("the runner's bundle", () => {
  test("is a file with bytecode that runs as the sources do", async () => {
    using into = folder();
    const bundle = new RunnerBundle();
    expect(bundle.file).toBe(runnerSource);
    expect(await bundle.make(into.path)).toBe(true);
    expect(readdirSync(into.path)).toEqual(["runner"]);
    expect(dirname(bundle.file)).toBe(join(into.path, "runner"));
    expect(existsSync(`${bundle.file}.jsc`)).toBe(true);
    const words = "Cannot connect to the host at /nowhere/link.sock";
    expect(await lastWords(bundle.file)).toContain(words);
    expect(await lastWords(runnerSource)).toContain(words);
  });

  test("replaces one that was there", async () => {
    using into = folder();
    const bundle = new RunnerBundle();
    expect([await bundle.make(into.path), await bundle.make(into.path)]).toEqual([true, true]);
    expect(existsSync(bundle.file)).toBe(true);
  });

  test("is done without where it cannot be made", async () => {
    const bundle = new RunnerBundle();
    expect(await bundle.make("/nowhere/at/all")).toBe(false);
    expect(bundle.file).toBe(runnerSource);
  });

  test("is given up when the host stops", async () => {
    using into = folder();
    const bundle = new RunnerBundle();
    const stopping = new AbortController();
    const made = bundle.make(into.path, stopping.signal);
    stopping.abort();
    expect(await made).toBe(false);
    expect(readdirSync(into.path)).toEqual([]);
  });
});

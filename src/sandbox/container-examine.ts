/** Whether this machine can run containers, what it lacks, and how to get that: for `urocket doctor`. */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openContainers } from "./container.ts";
import { examineKernel } from "./container-kernel.ts";
import { findInit, findMountTools } from "./container-tools.ts";
import type { Finding } from "./finding.ts";
import { idRange } from "./oci-config.ts";
import { findRuntime } from "./oci-runtime.ts";
import { installCommand, packages } from "./packages.ts";
import { SandboxFailure } from "./sandbox-failure.ts";

/** For a container to start and its runner to call. */
const trialMsMax = 15_000;

/** In the order in which things are needed; the last starts a container. */
export async function examineContainers(): Promise<Finding[]> {
  const isRoot = process.getuid?.() === 0;
  const findings = [
    await examineRuntime(isRoot),
    examineInit(),
    ...(isRoot ? [await examineMountTools()] : []),
    ...examineKernel(isRoot),
    ...(isRoot ? [examineIds()] : []),
  ];
  if (findings.every(({ state }) => state !== "missing")) findings.push(await tryContainer());
  return findings;
}

async function examineRuntime(isRoot: boolean): Promise<Finding> {
  const what = "OCI runtime";
  const { found, unfit } = await findRuntime(isRoot);
  if (found !== undefined) return { what, state: "ok", detail: `${found.name} ${found.version} (${found.file})` };
  const detail = unfit.length === 0 ? "neither crun nor runc is there" : unfit.join("; ");
  return {
    what,
    state: "missing",
    detail: `${detail}: no app runs with sandbox: container`,
    fix: installCommand([isRoot ? packages.runtime : packages.runtimeOfUser]),
  };
}

function examineInit(): Finding {
  const what = "container init";
  const init = findInit();
  const fix = installCommand([packages.init]);
  if (init === undefined) {
    return {
      what,
      state: "missing",
      detail: "none of tini, docker-init, catatonit and dumb-init is there to be PID 1 of a container",
      fix,
    };
  }
  if (init.isStatic) return { what, state: "ok", detail: init.file };
  return { what, state: "limited", detail: `${init.file} is not linked statically: apps with a rootfs of their own cannot start`, fix };
}

async function examineMountTools(): Promise<Finding> {
  const what = "mount tools";
  const { found, missing } = findMountTools();
  const fix = installCommand([packages.mount]);
  if (found === undefined) return { what, state: "missing", detail: `${missing.join(", ")} cannot be found`, fix };
  const text = await outputOf([found.mount, "--version"]);
  if (text.includes("util-linux"))
    return {
      what,
      state: "ok",
      detail: text
        .replace(/^.* from /, "")
        .replace(/ \(.*$/s, "")
        .trim(),
    };
  return { what, state: "missing", detail: `${found.mount} is not that of util-linux, and knows too little`, fix };
}

/** Users of containers are to be nobody else's. */
function examineIds(): Finding {
  const what = "user ids";
  const last = idRange.first + idRange.count - 1;
  const range = `${idRange.first} to ${last}`;
  for (const file of ["/etc/subuid", "/etc/subgid"]) {
    for (const line of linesOf(file)) {
      const [owner = "", start = "", count = ""] = line.split(":");
      const from = Number(start);
      if (count === "" || from > last || from + Number(count) <= idRange.first) continue;
      return {
        what,
        state: "limited",
        detail: `${file} gives ids of ${range} to ${owner}, whose containers then are the same users as urocket's`,
        fix: `Give ${owner} another range in ${file}, and chown what is its`,
      };
    }
  }
  return { what, state: "ok", detail: `containers are users ${range} of this machine` };
}

/** Starts one, as an app's is. */
async function tryContainer(): Promise<Finding> {
  const what = "a container";
  const folder = mkdtempSync(join(tmpdir(), "urocket-trial-"));
  // Users of containers pass through it.
  chmodSync(folder, 0o711);
  const started = performance.now();
  try {
    const called = await callFromContainer(folder);
    if (called === undefined) return { what, state: "ok", detail: `starts in ${Math.round(performance.now() - started)} ms` };
    return { what, state: "missing", detail: called, fix: "The words are the runtime's or the kernel's; --sandbox process does without" };
  } catch (error) {
    const hint = error instanceof SandboxFailure ? error.hint : "--sandbox process does without containers";
    return { what, state: "missing", detail: error instanceof Error ? error.message : String(error), fix: hint };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** @returns why none could; undefined: one did. */
async function callFromContainer(folder: string): Promise<string | undefined> {
  const sandbox = await openContainers({ folder });
  const link = join(folder, "link.sock");
  const call = Promise.withResolvers<undefined>();
  const listener = Bun.listen({ unix: link, socket: { data: () => call.resolve(undefined) } });
  const instance = crypto.randomUUID();
  const runner = sandbox.start({ instance, functions: false, link, token: "" });
  const timer = setTimeout(() => runner.kill(), trialMsMax);
  try {
    const ended = runner.ended.then((how) => `it ${how}${how.includes(":") || runner.lastWords() === "" ? "" : `: ${runner.lastWords()}`}`);
    return await Promise.race([call.promise, ended]);
  } finally {
    clearTimeout(timer);
    runner.kill();
    await runner.ended;
    await runner.remove();
    listener.stop(true);
    await sandbox.close();
  }
}

async function outputOf(cmd: string[]): Promise<string> {
  try {
    const child = Bun.spawn(cmd, { stdio: ["ignore", "pipe", "pipe"], timeout: 5_000 });
    const [text] = await Promise.all([new Response(child.stdout).text(), child.exited]);
    return text;
  } catch {
    return "";
  }
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "latin1")
      .split("\n")
      .filter((line) => line !== "");
  } catch {
    return [];
  }
}

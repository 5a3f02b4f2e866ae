/** Pools of real daemons: in processes of the host's, and in containers. */
import { afterEach, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { requireContainers, requireThat } from "../../tests/system-tools.ts";
import { processState } from "../sandbox/process-figures.ts";
import { type ContainerSandbox, openContainers } from "../sandbox/container.ts";
import { detectMemoryAccounting } from "../sandbox/instance-groups.ts";
import { type Network, openNetwork } from "../sandbox/network.ts";
import { networkDefaults } from "../config/network-settings.ts";
import { processSandbox } from "../sandbox/process.ts";
import type { InstanceSample } from "../telemetry/instance-sample.ts";
import type { InstanceLimits, InstanceUsage } from "../sandbox/sandbox.ts";
import type { StrayOutput } from "./instance.ts";
import { confinementOf } from "./pool-trial.ts";
import { Pool, type PoolOptions } from "./pool.ts";
import { Spares } from "./spares.ts";
import type { ConnectionSink, PlaceSink, ServicePlace } from "./work.ts";

/** Tells who it is; may be told to fall ill, to end, to take memory. */
const daemon = `
  let well = true;
  const held = [];
  const server = Bun.serve({
    port: Number(process.env.PORT),
    hostname: process.env.HOST,
    fetch({ url }) {
      switch (new URL(url).pathname) {
        case "/health": return new Response("", { status: well ? 200 : 500 });
        case "/ill": well = false; return new Response("ill");
        case "/end": console.error("I was told to"); process.exit(3);
        case "/fill": for (;;) held.push(Buffer.alloc(1 << 20, 1));
        default: return Response.json({ pid: process.pid, instance: process.env.UROCKET_INSTANCE, folder: process.cwd() });
      }
    },
  });
  process.on("SIGTERM", () => { console.log("goodbye"); process.exit(0); });
  console.log("listening");`;

interface TrialOptions extends Partial<Omit<PoolOptions, "scale" | "load">> {
  readonly scale?: Partial<PoolOptions["scale"]>;
  readonly source?: string;
  readonly limits?: InstanceLimits;
  readonly cmd?: readonly [string, ...string[]];
}

interface Answer {
  readonly pid: number;
  readonly instance: string;
  readonly folder: string;
  /** Whose place it was. */
  readonly place: string;
}

class ServiceTrial {
  readonly folder = mkdtempSync(join(tmpdir(), "services-"));
  readonly pool: Pool;
  readonly stopped: string[] = [];
  readonly health: string[] = [];
  readonly lines: StrayOutput[] = [];
  usage: InstanceUsage = {};

  constructor({ scale, source = daemon, limits = {}, cmd = [process.execPath, "daemon.ts"], ...options }: TrialOptions) {
    // Users of containers are others.
    chmodSync(this.folder, 0o755);
    writeFileSync(join(this.folder, "daemon.ts"), source);
    mkdirSync(join(this.folder, "i"));
    const checks = { path: "/health", everyMs: 20, timeoutMs: 1_000, failuresMax: 2 };
    const service = { argv: cmd, wd: this.folder, env: [], port: 8080, health: checks, startTimeoutMs: 10_000, graceMs: 1_000 };
    this.pool = new Pool(
      {
        folder: join(this.folder, "i"),
        sandbox: processSandbox(),
        confinement: { ...confinementOf(this.folder, { service: true }), limits },
        balance: "round-robin",
        scale: { min: 0, max: 1, idleMs: 60_000, ...scale },
        processors: 2,
        servicePlacesMax: 100,
        takesOverReplySocket: false,
        ...options,
        load: { app: "trial", programs: {}, programsMax: 1, graceMs: 100, environment: { PATH: process.env["PATH"] ?? "" }, service },
      },
      {
        sample: () => {},
        output: (_instance, line) => void this.lines.push(line),
        health: (_instance, state, detail) => void this.health.push(`${state}: ${detail}`),
        stopped: (_instance, reason, expected, usage) => {
          this.usage = usage;
          this.stopped.push(`${expected ? "asked" : "died"}: ${reason}`);
        },
      },
    );
  }

  /** A request to a daemon, and what it answers; over the link where it has no address. */
  async get(path = "/", avoid?: string): Promise<Answer> {
    return (await this.#ask(await this.place(avoid), path)) ?? Promise.reject(new Error(`${path} was not answered`));
  }

  /** As the gateway does it: what an instance fails is tried on another. */
  async getSafely(path = "/"): Promise<Answer> {
    const place = await this.place();
    return (await this.#ask(place, path)) ?? (await this.get(path, place.instance));
  }

  async #ask(place: ServicePlace, path: string): Promise<Answer | undefined> {
    const { address } = place.upstream;
    try {
      const text =
        address === undefined
          ? await overLink(place, path)
          : await (await fetch(`http://${address.host}:${address.port}${path}`, { keepalive: false })).text();
      place.release("sound");
      return { ...(JSON.parse(text) as Answer), place: place.instance };
    } catch {
      place.release("failed");
      return undefined;
    }
  }

  place(avoid?: string): Promise<ServicePlace> {
    return new Promise((resolve, reject) => {
      this.pool.place(
        { placed: resolve, failed: (_reason, detail) => reject(new Error(detail)), lost: () => {} },
        avoid === undefined ? [] : [avoid],
      );
    });
  }

  async close(): Promise<void> {
    await this.pool.kill("the test is over");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function overLink(place: ServicePlace, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    const sink: ConnectionSink = {
      taken: () => {},
      data: (chunk) => {
        text += Buffer.from(chunk).toString();
        connection.consumed(chunk.byteLength);
      },
      writable: () => {},
      output: () => {},
      closed: (failure) => (failure === undefined ? resolve(text.slice(text.indexOf("\r\n\r\n") + 4)) : reject(new Error(failure.detail))),
    };
    const connection = place.upstream.connect(sink);
    connection.write(Buffer.from(`GET ${path} HTTP/1.1\r\nHost: daemon\r\nConnection: close\r\n\r\n`), true);
  });
}

let trial: ServiceTrial;

async function startTrial(options: TrialOptions = {}): Promise<ServiceTrial> {
  trial = new ServiceTrial(options);
  await trial.pool.start();
  return trial;
}

const limited = requireThat(detectMemoryAccounting().kind === "cgroup", "a control group of memory that it may write");
const contained = requireContainers();

describe("daemons in processes", () => {
  afterEach(() => trial.close());

  test("that are there for headroom stay as long as there is work, and leave after it with the others", async () => {
    await startTrial({ scale: { min: 0, max: 4, idleMs: 200 }, servicePlacesMax: 1 });
    const busy = await trial.place();
    const isSpare = ({ instance, state }: InstanceSample): boolean => instance !== busy.instance && state === "ready";
    const spare = await eventually("there is headroom", () => trial.pool.instances().find(isSpare));
    // Another that nobody works with is gone by then.
    const other = new ServiceTrial({ scale: { min: 0, max: 1, idleMs: 500 } });
    try {
      await other.pool.start();
      await eventually("it has been ended", () => other.stopped.length > 0);
    } finally {
      await other.close();
    }
    expect([trial.stopped, trial.pool.instances().map(({ instance }) => instance)]).toEqual([[], [busy.instance, spare.instance]]);
    busy.release("sound");
    await eventually("both are ended", () => trial.stopped.length === 2);
  });

  test("have ports of their own, and take turns", async () => {
    await startTrial({ scale: { min: 3, max: 3 } });
    const told = [];
    for (let number = 0; number < 9; number++) told.push(await trial.get());
    expect(told.every(({ instance, place }) => instance === place)).toBe(true);
    const [first, second, third] = told.map(({ pid }) => pid);
    expect(new Set([first, second, third]).size).toBe(3);
    expect(told.map(({ pid }) => pid)).toEqual([first, second, third, first, second, third, first, second, third] as number[]);
    expect(trial.lines.filter(({ text }) => text === "listening")).toHaveLength(3);
  });

  test("end in peace when their pool is drained: their last words are logged, and nothing is left", async () => {
    await startTrial();
    const { pid } = await trial.get();
    await trial.pool.drain();
    expect(processState(pid)).toBeUndefined();
    expect(trial.lines.at(-1)?.text).toBe("goodbye");
    expect(trial.stopped).toEqual(["asked: drained"]);
    expect(readdirSync(join(trial.folder, "i"))).toEqual([]);
  });

  test("that end end their instance, with the reason and the last words, and another takes over", async () => {
    await startTrial();
    const before = await trial.get();
    await expect(trial.get("/end")).rejects.toThrow();
    const after = await trial.get("/", before.instance);
    expect(after.instance).not.toBe(before.instance);
    await eventually("it is told", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toStartWith("died: its service exited with status 3");
    expect(trial.stopped[0]).toContain("I was told to");
    expect(trial.lines.some(({ text }) => text === "I was told to")).toBe(true);
  });

  test("that are killed are known to be, and leave nothing", async () => {
    await startTrial();
    const { pid } = await trial.get();
    process.kill(pid, "SIGKILL");
    await eventually("it is told", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toStartWith("died: its service was killed by SIGKILL");
    expect((await trial.get()).pid).not.toBe(pid);
  });

  test("that fall ill are replaced by others that start first", async () => {
    await startTrial();
    const before = await trial.get();
    await trial.get("/ill").catch(() => {});
    await eventually("it is replaced", () => trial.stopped.length === 1);
    expect(trial.health).toEqual(["failing: GET /health answered 500"]);
    expect(trial.stopped).toEqual(["asked: its service is not well: GET /health answered 500"]);
    const after = await trial.get();
    expect(after.pid).not.toBe(before.pid);
    expect(processState(before.pid)).toBeUndefined();
  });

  test("that never listen fail their pool's start, and nothing is left of them", async () => {
    trial = new ServiceTrial({ source: `console.error("no database at db:5432"); process.exit(4);` });
    const failure = await trial.pool.start().then(
      () => "",
      (error: Error) => error.message,
    );
    expect(failure).toContain("exited with status 4");
    expect(failure).toContain("no database at db:5432");
    expect(readdirSync(join(trial.folder, "i"))).toEqual([]);
  });

  test("begin in runners that were started ahead", async () => {
    const folder = mkdtempSync(join(tmpdir(), "spares-"));
    const sandbox = processSandbox();
    const spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 60_000 });
    try {
      await eventually("one is ready", () => spares.ready === 1);
      await startTrial({ sandbox, spares });
      expect(spares.ready).toBe(0);
      const { instance, place } = await trial.get();
      expect(instance).toBe(place);
    } finally {
      await spares.close();
      rmSync(folder, { recursive: true, force: true });
    }
  });

  limited("that take more memory than their limit are ended by the kernel, and that is the reason", async () => {
    await startTrial({ limits: { memoryBytesMax: 128 * 1024 * 1024 } });
    const lost = Promise.withResolvers<string>();
    const sink: PlaceSink = { placed: () => {}, failed: () => {}, lost: (detail) => lost.resolve(detail) };
    trial.pool.place(sink);
    await expect(trial.get("/fill")).rejects.toThrow();
    expect(await lost.promise).toContain("reached limits.memory of 128 MiB");
    await eventually("it is told", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toContain("reached limits.memory of 128 MiB");
    expect(trial.usage.memoryPeakBytes).toBeGreaterThan(100 * 1024 * 1024);
    expect((await trial.get()).pid).toBeGreaterThan(0);
  });
});

describe("daemons in containers", () => {
  let folder: string;
  let sandbox: ContainerSandbox;
  let network: Network | undefined;
  let spares: Spares | undefined;

  afterEach(async () => {
    await trial.close();
    await spares?.close();
    await sandbox.close();
    await network?.close();
    spares = network = undefined;
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(): Promise<void> {
    folder = mkdtempSync(join(tmpdir(), "containers-"));
    chmodSync(folder, 0o711);
    sandbox = await openContainers({ folder, network });
  }

  contained("have addresses of their own and the same port, and take turns", async () => {
    network = await openNetwork(networkDefaults);
    await open();
    await startTrial({ sandbox, scale: { min: 3, max: 3 } });
    const places = [await trial.place(), await trial.place(), await trial.place()];
    for (const place of places) place.release("sound");
    expect(new Set(places.map(({ upstream }) => upstream.address?.host)).size).toBe(3);
    expect(places.map(({ upstream }) => upstream.address?.port)).toEqual([8080, 8080, 8080]);
    const told = [];
    for (let number = 0; number < 6; number++) told.push(await trial.get());
    expect(told.slice(3)).toEqual(told.slice(0, 3));
    expect(told.every(({ folder: here, instance, place }) => here === "/app" && instance === place)).toBe(true);
  });

  contained("are reached over the link where there is no network", async () => {
    await open();
    await startTrial({ sandbox });
    const place = await trial.place();
    place.release("sound");
    expect(place.upstream.address).toBeUndefined();
    expect(await trial.get()).toMatchObject({ folder: "/app", instance: place.instance });
  });

  contained("begin in containers that were started ahead, each once", async () => {
    await open();
    spares = new Spares({ sandbox, folder, count: 1, refillAfterMs: 60_000 });
    await eventually("one is ready", () => spares?.ready === 1);
    await startTrial({ sandbox, spares, scale: { min: 2, max: 2 } });
    expect(spares.ready).toBe(0);
    const [one, other] = [await trial.get(), await trial.get()];
    expect([one.folder, other.folder]).toEqual(["/app", "/app"]);
    expect(one.instance).not.toBe(other.instance);
  });

  contained(
    "that are killed twenty at once lose their places at once, and leave nothing",
    async () => {
      network = await openNetwork(networkDefaults);
      await open();
      await startTrial({ sandbox, scale: { min: 0, max: 20 }, servicePlacesMax: 1 });
      const lost: string[] = [];
      const placed: ServicePlace[] = [];
      const sink: PlaceSink = { placed: (place) => void placed.push(place), failed: () => {}, lost: (detail) => void lost.push(detail) };
      for (let number = 0; number < 20; number++) trial.pool.place(sink);
      await eventually("twenty run", () => placed.length === 20, 60_000);
      await trial.pool.kill("twenty at once");
      expect(lost).toHaveLength(20);
      expect(readdirSync(join(trial.folder, "i"))).toEqual([]);
      expect(readdirSync(join(folder, "containers", "slots"))).toEqual([]);
    },
    120_000,
  );

  contained("that die are replaced, and safe requests never notice", async () => {
    network = await openNetwork(networkDefaults);
    await open();
    await startTrial({ sandbox, scale: { min: 2, max: 2 } });
    const first = await trial.get();
    await expect(trial.get("/end")).rejects.toThrow();
    for (let number = 0; number < 20; number++) expect((await trial.getSafely()).folder).toBe("/app");
    expect(first.folder).toBe("/app");
    await eventually("it is told", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toStartWith("died: its service exited with status 3");
  });

  contained("that take more memory than their limit end alone, and that is the reason", async () => {
    await open();
    await startTrial({ sandbox, limits: { memoryBytesMax: 128 * 1024 * 1024 } });
    await expect(trial.get("/fill")).rejects.toThrow();
    await eventually("it is told", () => trial.stopped.length === 1);
    expect(trial.stopped[0]).toContain("reached limits.memory of 128 MiB");
    expect(trial.usage.memoryPeakBytes).toBeGreaterThan(100 * 1024 * 1024);
  });
});

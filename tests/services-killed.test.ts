/** A daemon whose instances are killed at random under load: only what was under way on them may fail, and what is safe does not. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { type Serving, serve } from "./serving.ts";

const daemon = `
const server = Bun.serve({
  hostname: process.env.HOST,
  port: Number(process.env.PORT),
  fetch: () => new Response(String(process.pid)),
});
`;

/** Requests of each kind; every tenth is a POST. */
const requests = 100_000;
const connections = 32;
const requestsPerKill = 2_500;

interface Tally {
  /** Statuses of the answers, by method. */
  readonly GET: Map<number, number>;
  readonly POST: Map<number, number>;
  /** What was said to GETs that failed. */
  readonly failures: string[];
  /** Where the daemons answer from. */
  readonly pids: Set<number>;
  /** Numbers of the requests that wait for their answers. */
  readonly underWay: Set<number>;
  /** Requests that were sent: each has the count as its number. */
  done: number;
}

/**
 * Kills one daemon after the other. A safe request survives one death, so that none may meet two: the next daemon dies when the last one
 * is gone and all that may have been sent to it is answered.
 */
class Killer {
  readonly killed = new Set<number>();
  readonly #tally: Tally;
  #next = requestsPerKill;
  #dying: number | undefined;
  /** Requests up to this number may have been sent to a daemon that was killed. */
  #touched = 0;

  constructor(tally: Tally) {
    this.#tally = tally;
  }

  /** To be called when a request is answered. */
  look(): void {
    const { done, pids, underWay } = this.#tally;
    if (done < this.#next || done >= requests) return;
    if (this.#dying !== undefined && !signal(this.#dying, 0)) {
      this.#dying = undefined;
      this.#touched = done;
    }
    if (this.#dying !== undefined || [...underWay].some((number) => number <= this.#touched)) return;
    const pid = pids.values().find((one) => !this.killed.has(one));
    if (pid === undefined || !signal(pid, "SIGKILL")) return;
    this.killed.add(pid);
    this.#dying = pid;
    this.#next = done + requestsPerKill;
  }
}

/** Whether there was such a process. */
function signal(pid: number, name: "SIGKILL" | 0): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** One client that sends the next request when it has the answer to the last. */
async function ask(host: Serving, tally: Tally, answered: () => void): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let method: "GET" | "POST" = "GET";
  let number = 0;
  let received = "";
  const next = (socket: Bun.Socket): void => {
    if (tally.done >= requests) {
      resolve();
      return void socket.end();
    }
    number = ++tally.done;
    tally.underWay.add(number);
    method = number % 10 === 0 ? "POST" : "GET";
    received = "";
    socket.write(`${method} /x HTTP/1.1\r\nHost: x\r\n${method === "POST" ? "Content-Length: 2\r\n\r\nhi" : "\r\n"}`);
  };
  await Bun.connect({
    hostname: "127.0.0.1",
    port: host.port,
    socket: {
      open: next,
      data: (socket, chunk) => {
        received += chunk.toString("latin1");
        const headEnd = received.indexOf("\r\n\r\n");
        const length = Number(/content-length: (\d+)/i.exec(received)?.[1]);
        if (headEnd < 0 || received.length < headEnd + 4 + length) return;
        const status = Number(received.slice(9, 12));
        tally[method].set(status, (tally[method].get(status) ?? 0) + 1);
        if (status !== 200 && method === "GET") tally.failures.push(received.slice(headEnd + 4));
        if (status === 200) tally.pids.add(Number(received.slice(headEnd + 4)));
        tally.underWay.delete(number);
        answered();
        next(socket);
      },
      close: () => (tally.done >= requests ? resolve() : reject(new Error("the host closed a connection"))),
      error: (_socket, error) => reject(error),
    },
  });
  await promise;
}

describe("a daemon whose instances are killed under load", () => {
  test("loses nothing that is safe, and of the rest only what was under way there", async () => {
    using app = appOf({
      "urocket-service.yaml": "balance: round-robin\nscale: { min: 3, max: 3 }\nservice: { cmd: bun daemon.ts }\n",
      "daemon.ts": daemon,
    });
    await using host = await serve(app.folder, { flags: ["--requests", "failed"] });
    const tally: Tally = { GET: new Map(), POST: new Map(), failures: [], pids: new Set(), underWay: new Set(), done: 0 };
    const killer = new Killer(tally);
    await Promise.all(Array.from({ length: connections }, async () => await ask(host, tally, () => killer.look())));
    const kills = killer.killed.size;
    expect(kills).toBeGreaterThan(10);
    expect(tally.failures).toEqual([]);
    expect([...tally.GET.keys()]).toEqual([200]);
    expect([...tally.POST.keys()].filter((status) => status !== 200 && status !== 502)).toEqual([]);
    // At the most all connections were at the one that was killed.
    expect(tally.POST.get(502) ?? 0).toBeLessThanOrEqual(kills * connections);
  }, 180_000);
});

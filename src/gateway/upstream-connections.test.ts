import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { ok, RawDaemon } from "../../tests/raw-daemon.ts";
import type { Upstream } from "./dispatch.ts";
import type { FrontExchange } from "./front.ts";
import type { UpstreamConnection, UpstreamUser } from "./upstream-connection.ts";
import { type UpstreamLimits, UpstreamConnections, type UpstreamPool } from "./upstream-connections.ts";

function upstreamAt(port: number, host = "127.0.0.1"): Upstream {
  const connect = (): never => {
    throw new Error("it has an address");
  };
  return { instance: "i", address: { host, port }, connect };
}

const request = {
  front: { method: "GET", target: "/", headers: [], forwarding: [], upgrade: undefined } as Partial<FrontExchange> as FrontExchange,
  requestId: "id",
  host: "a",
  body: "none",
  expectsContinue: false,
} as const;

/** Asks once, and resolves with the connection while it is still in use. */
async function ask(pool: UpstreamPool, waiting = pool.take(true)): Promise<UpstreamConnection> {
  return await new Promise((resolve, reject) => {
    const user: UpstreamUser = {
      connected: (connection) => connection.send(request, undefined, user),
      unreachable: (detail) => reject(new Error(detail)),
      writable: () => {},
      interim: () => {},
      head: (head) => {
        opened.headersOf(head, "id");
        resolve(opened);
      },
      data: () => {},
      switched: () => reject(new Error("switched")),
      broken: (detail) => reject(new Error(detail)),
    };
    let opened = waiting as UpstreamConnection;
    if (waiting === undefined) opened = pool.open(user);
    else user.connected(waiting);
  });
}

class Bed implements Disposable {
  readonly daemon: RawDaemon;
  readonly all: UpstreamConnections;
  readonly pool: UpstreamPool;

  constructor(limits: Partial<UpstreamLimits> = {}, reply = ok("hello"), now?: () => number) {
    this.daemon = new RawDaemon((connection) => connection.send(reply));
    this.all = new UpstreamConnections(limits, now);
    this.pool = this.all.of(upstreamAt(this.daemon.port));
  }

  [Symbol.dispose](): void {
    this.all.close();
    this.daemon[Symbol.dispose]();
  }
}

describe("connections to daemons", () => {
  test("belong to an instance: another one at the same address has its own", () => {
    const all = new UpstreamConnections();
    const one = upstreamAt(1);
    expect(all.of(one)).toBe(all.of(one));
    expect(all.of(one)).not.toBe(all.of(upstreamAt(1)));
  });

  test("that have waited for a while are not for what must not be sent twice", async () => {
    let nowMs = 0;
    using bed = new Bed({ sweepMs: 1 }, ok("hello"), () => nowMs);
    const { pool } = bed;
    const connection = await ask(pool, undefined);
    connection.release();
    expect(pool.take(false)).toBe(connection);
    pool.keep(connection);
    nowMs = 2_000;
    await eventually("it is too old", () => {
      const taken = pool.take(false);
      if (taken !== undefined) pool.keep(taken);
      return taken === undefined;
    });
    expect(pool.take(true)).toBe(connection);
  });

  test("are kept when a request is over, and the last one is taken first", async () => {
    using bed = new Bed();
    const { pool } = bed;
    const first = await ask(pool, undefined);
    const second = await ask(pool, undefined);
    first.release();
    second.release();
    expect(bed.all.idle).toBe(2);
    expect(pool.take(true)).toBe(second);
    expect(pool.take(true)).toBe(first);
    expect(pool.take(true)).toBeUndefined();
    expect(first.isReused).toBe(false);
    expect((await ask(pool, first)).isReused).toBe(true);
  });

  test("that wait are no more than so many: the rest is closed", async () => {
    using bed = new Bed({ idleMax: 2 });
    const connections = await Promise.all([1, 2, 3, 4].map(async () => await ask(bed.pool, undefined)));
    for (const connection of connections) connection.release();
    expect(bed.pool.idle).toBe(2);
    await eventually("two are closed", () => bed.daemon.connections.filter(({ isClosed }) => isClosed).length === 2);
  });

  test("that have waited for too long are closed, and nobody looks any more then", async () => {
    using bed = new Bed({ idleMs: 60, sweepMs: 20 });
    (await ask(bed.pool, undefined)).release();
    expect(bed.pool.idle).toBe(1);
    await bed.daemon.connections[0]?.closed();
    expect(bed.all.idle).toBe(0);
  });

  test("that the daemon keeps for a shorter time are closed before it closes them", async () => {
    const reply = "HTTP/1.1 200 OK\r\nKeep-Alive: max=100, timeout=2\r\nContent-Length: 0\r\n\r\n";
    using bed = new Bed({ sweepMs: 20 }, reply);
    (await ask(bed.pool, undefined)).release();
    await bed.daemon.connections[0]?.closed();
  });

  test("that are closed while they wait are forgotten", async () => {
    using bed = new Bed();
    (await ask(bed.pool, undefined)).release();
    bed.daemon.connections[0]?.close();
    await eventually("it is forgotten", () => bed.pool.idle === 0);
    expect(bed.pool.take(true)).toBeUndefined();
  });

  test("that are told something while they wait are closed", async () => {
    using bed = new Bed();
    (await ask(bed.pool, undefined)).release();
    bed.daemon.connections[0]?.send("HTTP/1.1 408 Timeout\r\n\r\n");
    await bed.daemon.connections[0]?.closed();
    expect(bed.pool.idle).toBe(0);
  });

  test("are closed when the reply says so, or is HTTP/1.0's", async () => {
    for (const reply of [
      "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    ]) {
      using bed = new Bed({}, reply);
      (await ask(bed.pool, undefined)).release();
      expect(bed.pool.idle).toBe(0);
      await bed.daemon.connections[0]?.closed();
    }
  });

  test("that nobody waits for any more are closed when they come", async () => {
    using bed = new Bed();
    const told: string[] = [];
    const user = {
      connected: () => told.push("connected"),
      unreachable: () => told.push("unreachable"),
    } as Partial<UpstreamUser> as UpstreamUser;
    bed.pool.open(user).terminate();
    await (await bed.daemon.connection(0)).closed();
    bed.pool.open(user).release();
    await (await bed.daemon.connection(1)).closed();
    expect(told).toEqual([]);
  });

  test("are closed when their instance ends, and none is kept any more", async () => {
    using bed = new Bed();
    const upstream = upstreamAt(bed.daemon.port);
    const pool = bed.all.of(upstream);
    const [waiting, busy] = [await ask(pool, undefined), await ask(pool, undefined)];
    waiting.release();
    upstream.onEnding?.();
    await bed.daemon.connections[0]?.closed();
    expect(bed.daemon.connections[1]?.isClosed).toBe(false);
    busy.release();
    await bed.daemon.connections[1]?.closed();
    expect(pool.idle).toBe(0);
  });

  test("are all closed at the end", async () => {
    using bed = new Bed();
    const connections = await Promise.all([1, 2, 3].map(async () => await ask(bed.pool, undefined)));
    for (const connection of connections) connection.release();
    bed.all.close();
    for (const connection of bed.daemon.connections) await connection.closed();
    expect(bed.all.idle).toBe(0);
  });
});

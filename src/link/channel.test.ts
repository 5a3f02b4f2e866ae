import { afterEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { IncomingCredit, OutgoingBody, windowBytes } from "./body.ts";
import { Channel, channelSocket, hostFrameBytesMax, pendingBytesMax, runnerFrameBytesMax } from "./channel.ts";
import { dataBytesMax, type Frame } from "./frames.ts";
import type { WindowHead } from "./messages.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

interface Side {
  readonly channel: Channel;
  onFrame: (frame: Frame) => void;
  readonly closed: Promise<string>;
}

function side(frameBytesMax: number): Side {
  const { promise, resolve } = Promise.withResolvers<string>();
  const it: Side = {
    channel: new Channel(frameBytesMax, { frame: (frame) => it.onFrame(frame), closed: resolve }),
    onFrame: () => {},
    closed: promise,
  };
  return it;
}

/** Two channels over a real unix socket. */
async function pair(): Promise<{ host: Side; runner: Side }> {
  const folder = mkdtempSync(join(tmpdir(), "link-"));
  const unix = join(folder, "link.sock");
  const host = side(runnerFrameBytesMax);
  const runner = side(hostFrameBytesMax);
  const listener = Bun.listen({
    unix,
    data: host.channel,
    socket: { ...channelSocket, open: (socket) => socket.data.attach(socket) },
  });
  await Bun.connect({ unix, data: runner.channel, socket: { ...channelSocket, open: (socket) => socket.data.attach(socket) } });
  cleanups.push(() => {
    host.channel.terminate("test over");
    listener.stop(true);
    rmSync(folder, { recursive: true });
  });
  return { host, runner };
}

/** Collects a body of one exchange, granting credit for each chunk at once unless `grant` is false. */
function collect(
  at: Side,
  exchange: number,
  grant = true,
): { readonly done: Promise<Buffer>; readonly chunks: Uint8Array[]; readonly credit: IncomingCredit } {
  const chunks: Uint8Array[] = [];
  const credit = new IncomingCredit(at.channel, exchange);
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  at.onFrame = (frame) => {
    chunks.push(frame.body);
    if (!credit.received(frame.body.byteLength)) reject(new Error("more came than was granted"));
    if (grant) credit.consumed(frame.body.byteLength);
    if (frame.end) resolve(Buffer.concat(chunks));
  };
  return { done: promise, chunks, credit };
}

function feedCredit(at: Side, body: OutgoingBody): void {
  at.onFrame = (frame) => body.grant((JSON.parse(frame.head) as WindowHead).bytes);
}

describe("a channel", () => {
  test("carries a body of 30 MB byte for byte through its window", async () => {
    const { host, runner } = await pair();
    const sent = Buffer.alloc(30_000_000);
    for (let at = 0; at < sent.length; at += 4) sent.writeUInt32LE((at * 2_654_435_761) % 2 ** 32, at);
    const body = new OutgoingBody(host.channel, 7);
    feedCredit(host, body);
    const received = collect(runner, 7);
    body.open("request", { operation: "GET /" }, sent, true);
    expect(Bun.hash(await received.done)).toBe(Bun.hash(sent));
  });

  test("lets no more of a body under way than its window, and goes on when it is granted", async () => {
    const { host, runner } = await pair();
    const body = new OutgoingBody(host.channel, 1);
    feedCredit(host, body);
    const received = collect(runner, 1, false);
    const gone = new Promise<void>((resolve) => (body.onWritable = resolve));
    expect(body.open("request", {}, Buffer.alloc(windowBytes + 10), true)).toBe(false);
    host.channel.send("drain", 0, undefined, undefined, true);
    const beforeGrant = await received.done;
    expect(beforeGrant.length).toBe(windowBytes);
    received.credit.consumed(windowBytes);
    await gone;
  });

  test("of many exchanges lets a stalled one wait alone", async () => {
    const { host, runner } = await pair();
    const stalled = new OutgoingBody(host.channel, 1);
    const free = new OutgoingBody(host.channel, 2);
    expect(stalled.open("request", {}, Buffer.alloc(windowBytes * 2), true)).toBe(false);
    const { promise, resolve } = Promise.withResolvers<Frame>();
    runner.onFrame = (frame) => {
      if (frame.exchange === 2) resolve(frame);
    };
    expect(free.open("request", { small: true }, Buffer.from("hello"), true)).toBe(true);
    expect(Buffer.from((await promise).body).toString()).toBe("hello");
  });

  test("carries a body of text in a frame, and refuses one that is longer than a frame", async () => {
    const { host, runner } = await pair();
    const heads: string[] = [];
    const received = collect(host, 1);
    const collecting = host.onFrame;
    host.onFrame = (frame) => {
      heads.push(frame.head);
      collecting(frame);
    };
    // 65 536 bytes as 32 768 characters; one more does not fit.
    const longest = "ü".repeat(dataBytesMax / 2);
    expect(runner.channel.sendText("reply", 1, '{"status":200}', `${longest}x`)).toBe(false);
    expect(runner.channel.sendText("reply", 1, '{"status":200}', longest)).toBe(true);
    expect((await received.done).toString()).toBe(longest);
    expect(heads).toEqual(['{"status":200}']);
  });

  test("flushes on demand what else would wait for the loop's turn", async () => {
    const { host, runner } = await pair();
    runner.channel.exchangesOpen = 100;
    runner.channel.send("pong", 0);
    expect(runner.channel.pendingBytes).toBeGreaterThan(0);
    runner.channel.flush();
    expect(runner.channel.pendingBytes).toBe(0);
    const { promise, resolve } = Promise.withResolvers<Frame>();
    host.onFrame = resolve;
    expect((await promise).type).toBe("pong");
  });

  test("ends when the peer sends no frame, and says why", async () => {
    const { host, runner } = await pair();
    // A runner may send 1 MiB a frame; this says it has two.
    runner.channel.send("log", 1, { id: "x" }, new Uint8Array(2 * runnerFrameBytesMax));
    expect(await host.closed).toContain("link violation: A frame of");
    expect(await runner.closed).toBe("the peer closed the link");
  });

  test("ends when a frame's handler throws", async () => {
    const { host, runner } = await pair();
    host.onFrame = (frame) => void JSON.parse(frame.head);
    runner.channel.send("reply", 1);
    expect(await host.closed).toContain("link failure");
  });

  test("ends when more waits for a peer that does not read than the maximum", async () => {
    const it = side(runnerFrameBytesMax);
    // Never attached: nothing of it can go.
    let sent = 0;
    for (; !it.channel.closed; sent++) it.channel.send("data", 1, undefined, new Uint8Array(runnerFrameBytesMax));
    expect(await it.closed).toMatch(/^the peer does not read: \d+ bytes wait$/);
    expect((sent - 1) * runnerFrameBytesMax).toBeLessThanOrEqual(pendingBytesMax);
    expect(it.channel.pendingBytes).toBe(0);
  });

  test("sends what is queued before it closes by its own will", async () => {
    const { host, runner } = await pair();
    const received = collect(host, 3);
    for (let n = 0; n < 50; n++) runner.channel.send("data", 3, undefined, new Uint8Array(4000), n === 49);
    runner.channel.end();
    expect((await received.done).length).toBe(200_000);
    expect(await host.closed).toBe("the peer closed the link");
  });
});

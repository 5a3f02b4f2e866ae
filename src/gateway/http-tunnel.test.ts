/** What a connection becomes after 101, over real sockets: bytes both ways, each side's end, who is slow, and the front's end. */
import { describe, expect, test } from "bun:test";
import { createConnection, type Socket } from "node:net";
import { eventually } from "../../tests/eventually.ts";
import { FrontBed } from "../../tests/front-bed.ts";
import type { FrontExchange, FrontTunnel } from "./front.ts";

const asks = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
const switched = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n";

/** A client whose two directions end each by itself. */
class Client implements Disposable {
  readonly socket: Socket;
  text = "";
  bytes = 0;
  hasEnded = false;
  isClosed = false;

  constructor(port: number) {
    this.socket = createConnection({ host: "127.0.0.1", port, allowHalfOpen: true });
    this.socket.on("data", (chunk: Buffer) => {
      this.bytes += chunk.length;
      if (this.bytes < 1_000_000) this.text += chunk.toString("latin1");
    });
    this.socket.on("end", () => (this.hasEnded = true));
    this.socket.on("close", () => (this.isClosed = true));
    this.socket.on("error", () => undefined);
  }

  send(text: string | Uint8Array): void {
    this.socket.write(typeof text === "string" ? Buffer.from(text, "latin1") : text);
  }

  async said(text: string): Promise<void> {
    await eventually(
      () => `the client is told ${JSON.stringify(text)}, not ${JSON.stringify(this.text)}`,
      () => this.text.endsWith(text),
    );
  }

  [Symbol.dispose](): void {
    this.socket.destroy();
  }
}

/** The gateway's end of a tunnel, with what was told of it. */
class Opened {
  readonly tunnel: FrontTunnel;
  text = "";
  bytes = 0;
  readonly events: string[] = [];

  constructor(exchange: FrontExchange, headers: readonly string[] = ["upgrade", "websocket"]) {
    exchange.onClosed = () => void this.events.push("exchange closed");
    this.tunnel = exchange.switchProtocols(headers);
    this.tunnel.onData = (chunk) => {
      this.bytes += chunk.byteLength;
      if (this.bytes < 1_000_000) this.text += Buffer.from(chunk).toString("latin1");
    };
    this.tunnel.onEnd = () => void this.events.push("end");
    this.tunnel.onClosed = () => void this.events.push("closed");
  }

  async heard(text: string): Promise<void> {
    await eventually(
      () => `the tunnel is told ${JSON.stringify(text)}, not ${JSON.stringify(this.text)}`,
      () => this.text === text,
    );
  }

  async was(...events: string[]): Promise<void> {
    await eventually(
      () => `the tunnel is told ${events.join()}, not ${this.events.join()}`,
      () => this.events.join() === events.join(),
    );
  }
}

async function tunnelled(bed: FrontBed, sends = asks): Promise<{ client: Client; opened: Opened }> {
  const client = new Client(bed.port);
  client.send(sends);
  return { client, opened: new Opened(await bed.reached(0)) };
}

describe("an upgrade", () => {
  test.each([
    ["Connection: Upgrade\r\nUpgrade: websocket", "websocket"],
    ["Connection: keep-alive, upgrade\r\nupgrade: WebSocket, chat/2 ,", "WebSocket, chat/2"],
    ["Connection: upgrade\r\nUpgrade: h2c, websocket", "websocket"],
    ["Connection: upgrade\r\nUpgrade: h2cool", "h2cool"],
    ["Connection: upgrade\r\nUpgrade: h2c", undefined],
    ["Connection: upgrade, http2-settings\r\nUpgrade: H2C\r\nHTTP2-Settings: AAA", undefined],
    ["Connection: upgrade\r\nUpgrade: HTTP/2.0", undefined],
    ["Connection: upgrade\r\nUpgrade: h2c;q=1, h2c foo, h2c/, websocket", "websocket"],
    ["Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1", undefined],
    ["Upgrade: websocket", undefined],
    ["Connection: keep-alive\r\nUpgrade: websocket", undefined],
    ["Connection: upgrade", undefined],
    ["Connection: upgrade\r\nUpgrade:", undefined],
    ["Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 2", undefined],
    ["Connection: upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked", undefined],
  ])("asked for by %j is to %p", async (lines, upgrade) => {
    await using bed = new FrontBed();
    using client = new Client(bed.port);
    client.send(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n\r\n`);
    expect((await bed.reached(0)).upgrade).toBe(upgrade);
  });

  test("is none in HTTP/1.0", async () => {
    await using bed = new FrontBed();
    using client = new Client(bed.port);
    client.send("GET / HTTP/1.0\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
    expect((await bed.reached(0)).upgrade).toBeUndefined();
  });

  test("that nobody asked for is a defect, and the request can still be answered", async () => {
    await using bed = new FrontBed();
    using client = new Client(bed.port);
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    const exchange = await bed.reached(0);
    expect(() => exchange.switchProtocols([])).toThrow("nobody asked for it");
    exchange.respond(426, ["upgrade", "websocket"]);
    await client.said("content-length: 0\r\n\r\n");
  });

  test("that is not taken up is answered like any request, and the connection kept", async () => {
    await using bed = new FrontBed();
    using client = new Client(bed.port);
    client.send(asks);
    (await bed.reached(0)).respond(403, []);
    await client.said("content-length: 0\r\n\r\n");
    client.send(asks);
    (await bed.reached(1)).respond(200, []);
    await eventually("the second is answered", () => client.text.includes("200 OK"));
  });

  test("answers with the protocol that was agreed on, or with what was asked for", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    using other = new Client(bed.port);
    other.send(asks);
    const headers = ["sec-websocket-accept", "x", "connection", "close", "content-length", "3", "transfer-encoding", "chunked"];
    (await bed.reached(1)).switchProtocols(headers);
    await other.said("HTTP/1.1 101 Switching Protocols\r\nsec-websocket-accept: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n");
    client.socket.resetAndDestroy();
    await opened.was("closed");
  });

  test("of a client that has left does nothing", async () => {
    await using bed = new FrontBed();
    const client = new Client(bed.port);
    client.send(asks);
    const exchange = await bed.reached(0);
    let left = false;
    exchange.onClosed = () => (left = true);
    client.socket.destroy();
    await eventually("the client has left", () => left);
    const opened = new Opened(exchange);
    expect(opened.tunnel.write(Buffer.from("a"))).toBeTrue();
    opened.tunnel.pause();
    opened.tunnel.resume();
    opened.tunnel.end();
    opened.tunnel.close();
    expect([opened.events, bed.defects]).toEqual([[], []]);
  });
});

describe("a tunnel", () => {
  test("carries bytes both ways, whatever they look like", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    const odd = `${asks}\0\xff\r\n\r\n0\r\n\r\n`;
    client.send(odd);
    await opened.heard(odd);
    opened.tunnel.write(Buffer.from(odd, "latin1"));
    await client.said(switched + odd);
    expect(bed.exchanges).toHaveLength(1);
    client.socket.destroy();
  });

  test("begins with what came behind the request, also where it is opened at once", async () => {
    const opened: Opened[] = [];
    await using bed = new FrontBed({ handler: (exchange) => void opened.push(new Opened(exchange)) });
    using client = new Client(bed.port);
    client.send(`${asks}hello`);
    const one = await eventually("it is opened", () => opened[0]);
    await one.heard("hello");
    await using later = new FrontBed();
    const { client: other, opened: two } = await tunnelled(later, `${asks}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    await two.heard("GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(later.exchanges).toHaveLength(1);
    other.socket.destroy();
  });

  test("goes on in one direction when the other has ended", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed, `${asks}last words`);
    client.socket.end();
    await opened.was("end");
    await opened.heard("last words");
    opened.tunnel.write(Buffer.from("and still"));
    await client.said("and still");
    opened.tunnel.end();
    await opened.was("end", "closed");
    await eventually("the client sees the end", () => client.hasEnded);
  });

  test("goes on in the other direction, too", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    opened.tunnel.write(Buffer.from("last words"));
    opened.tunnel.end();
    opened.tunnel.write(Buffer.from("not sent"));
    await eventually("the client sees the end", () => client.hasEnded);
    expect(client.text).toEndWith("last words");
    client.send("and still");
    await opened.heard("and still");
    client.socket.end();
    await opened.was("end", "closed");
  });

  test("tells once that it is over when the client breaks it, and when the gateway closes it", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    client.socket.resetAndDestroy();
    await opened.was("closed");
    opened.tunnel.close();
    opened.tunnel.end();
    expect(opened.events).toEqual(["closed"]);
    using other = new Client(bed.port);
    other.send(asks);
    const two = new Opened(await bed.reached(1));
    two.tunnel.write(Buffer.from("bye"));
    two.tunnel.close();
    expect(two.events).toEqual(["closed"]);
    await eventually("the client is gone", () => other.hasEnded || other.isClosed);
    expect(other.text).toEndWith("bye");
  });

  test("makes a client wait that sends more than is taken, and loses nothing of it", async () => {
    await using bed = new FrontBed();
    using client = new Client(bed.port);
    client.send(`${asks}ahead`);
    const opened = new Opened(await bed.reached(0));
    opened.tunnel.pause();
    const block = Buffer.alloc(64 * 1024, "x");
    const blocks = 1_000;
    let sent = 0;
    const send = (): void => {
      while (sent < blocks) {
        sent++;
        if (!client.socket.write(block)) return void client.socket.once("drain", send);
      }
      client.socket.end();
    };
    send();
    await eventually("the client has to wait", () => client.socket.writableNeedDrain);
    expect(opened.bytes).toBe(0);
    expect(sent).toBeLessThan(blocks);
    opened.tunnel.resume();
    await eventually("all of it is told", () => opened.events.includes("end"));
    expect(opened.bytes).toBe(5 + blocks * block.length);
    opened.tunnel.end();
    await opened.was("end", "closed");
  });

  test("tells the writer to wait for a client that does not read, and when to go on", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    client.socket.pause();
    const block = Buffer.alloc(64 * 1024, "y");
    const blocks = 1_000;
    let written = 0;
    let waits = 0;
    const pump = (): void => {
      while (written < blocks) {
        written++;
        if (!opened.tunnel.write(block)) {
          waits++;
          return;
        }
      }
      opened.tunnel.end();
    };
    opened.tunnel.onWritable = pump;
    pump();
    await eventually("the writer waits", () => waits > 0);
    expect(written).toBeLessThan(blocks);
    client.socket.resume();
    await eventually("all has come", () => client.hasEnded);
    expect(client.bytes).toBe(switched.length + blocks * block.length);
    client.socket.end();
    await opened.was("end", "closed");
    expect(bed.defects).toEqual([]);
  });

  test("that is written on and on against a client that does not read is broken: a defect", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    client.socket.pause();
    const block = new Uint8Array(1024 * 1024);
    for (let count = 0; count < 100 && opened.events.length === 0; count++) opened.tunnel.write(block);
    await opened.was("closed");
    expect(bed.defects).toHaveLength(1);
    client.socket.destroy();
  });

  test("is waited for by a front that drains, which takes nobody else", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    let isDrained = false;
    const drained = bed.front.drain().then(() => (isDrained = true));
    client.send("still here");
    await opened.heard("still here");
    opened.tunnel.write(Buffer.from("me too"));
    await client.said("me too");
    expect(isDrained).toBeFalse();
    client.socket.end();
    await opened.was("end");
    opened.tunnel.end();
    await drained;
  });

  test("ends with the front", async () => {
    await using bed = new FrontBed();
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    await bed.front.close();
    await opened.was("closed");
    await eventually("the client is gone", () => client.isClosed || client.hasEnded);
  });

  test("is not ended for its silence", async () => {
    await using bed = new FrontBed({ limits: { sweepMs: 5, idleMs: 500, headMs: 500, stalledMs: 500, lingerMs: 500 } });
    const { client, opened } = await tunnelled(bed);
    await client.said(switched);
    using idle = new Client(bed.port);
    await eventually("an idle connection is ended, so a silent tunnel would have been", () => idle.hasEnded || idle.isClosed);
    expect(opened.events).toEqual([]);
    client.send("still here");
    await opened.heard("still here");
    client.socket.destroy();
  });
});

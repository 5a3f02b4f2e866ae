/** A daemon without an address: the same behaviour over the link, which here is a connection of the test's own. */
import { describe, expect, test } from "bun:test";
import { eventually } from "../../tests/eventually.ts";
import { ServiceBed } from "../../tests/service-bed.ts";
import type { ConnectionSink, OpenConnection } from "./dispatch.ts";

class Linked implements OpenConnection {
  readonly sink: ConnectionSink;
  received = "";
  takes = true;
  hasEnded = false;
  consumedBytes = 0;
  resets: string[] = [];

  constructor(sink: ConnectionSink) {
    this.sink = sink;
    sink.taken("i0");
  }

  /** The daemon has taken it. */
  accept(): this {
    this.send("");
    return this;
  }

  write(bytes: Uint8Array, last: boolean): boolean {
    this.received += Buffer.from(bytes).toString("latin1");
    this.hasEnded ||= last;
    return this.takes;
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
  }

  reset(reason: string): void {
    this.resets.push(reason);
    this.sink.closed();
  }

  send(text: string, last = false): void {
    this.sink.data(new Uint8Array(Buffer.from(text, "latin1")), last);
  }
}

class LinkBed {
  readonly linked: Linked[] = [];
  readonly bed: ServiceBed;

  constructor(instances = 1) {
    const connect = (sink: ConnectionSink): Linked => {
      const linked = new Linked(sink);
      this.linked.push(linked);
      return linked;
    };
    this.bed = new ServiceBed(Array.from({ length: instances }, () => connect));
  }

  /** The nth that the daemons take, from 0. */
  async reached(index: number): Promise<Linked> {
    return (await this.asked(index)).accept();
  }

  /** The nth that is asked for. */
  async asked(index: number): Promise<Linked> {
    return await eventually(`connection ${index} is asked for`, () => this.linked[index]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bed[Symbol.asyncDispose]();
  }
}

const get = ["GET / HTTP/1.1", "Host: a"];
const refused = { reason: "no-reply", detail: "It takes no connection (ECONNREFUSED)" } as const;
const hello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

describe("a daemon without an address", () => {
  test("is asked over the link, again and again over the same connection", async () => {
    await using at = new LinkBed();
    const first = at.bed.ask(get);
    const linked = await at.reached(0);
    expect(linked.received).toStartWith("GET / HTTP/1.1\r\nhost: a\r\n");
    linked.send(hello.slice(0, 20));
    linked.send(hello.slice(20));
    expect(await first).toMatchObject({ status: 200, body: "hello" });
    expect(linked.consumedBytes).toBe(hello.length);
    const second = at.bed.ask(get);
    await eventually("it is asked again", () => linked.received.split("GET /").length === 3);
    linked.send(hello);
    expect(await second).toMatchObject({ status: 200, body: "hello" });
    expect(at.linked).toHaveLength(1);
    await at.bed.allGivenBack();
  });

  test("closes a connection that waits: it is closed here, too", async () => {
    await using at = new LinkBed();
    const first = at.bed.ask(get);
    (await at.reached(0)).send(hello, true);
    expect(await first).toMatchObject({ status: 200 });
    expect(at.linked[0]?.resets).toHaveLength(1);
  });

  test("is sent nothing before it takes the connection", async () => {
    await using at = new LinkBed();
    const answer = at.bed.ask(get);
    const linked = await at.asked(0);
    // Another request has been answered: what was to be done at once has been done.
    await at.bed.ask(["GET nowhere HTTP/1.1", "Host: a"]);
    expect(linked.received).toBe("");
    linked.accept().send(hello);
    expect(await answer).toMatchObject({ status: 200, body: "hello" });
    await at.bed.allGivenBack();
  });

  for (const framing of ["Content-Length: 4", "Transfer-Encoding: chunked"]) {
    const body = framing === "Content-Length: 4" ? "body" : "4\r\nbody\r\n0\r\n\r\n";
    test(`that takes no connection has not got a request of ${framing}: another instance answers it`, async () => {
      await using at = new LinkBed(2);
      const answer = at.bed.ask(["POST / HTTP/1.1", "Host: a", framing], body);
      (await at.asked(0)).sink.closed(refused);
      const other = await at.reached(1);
      await eventually("it has all of it", () => other.received.endsWith(body));
      other.send(hello);
      expect(await answer).toMatchObject({ status: 200, body: "hello" });
      expect(await at.bed.told(0)).toMatchObject({ status: 200, attempts: 2 });
      expect(at.bed.places.map(({ outcome }) => outcome)).toEqual(["failed", "sound"]);
      await at.bed.allGivenBack();
    });
  }

  test("that takes no connection is a 502 when there is no other", async () => {
    await using at = new LinkBed();
    const answer = at.bed.ask(["POST / HTTP/1.1", "Host: a"]);
    for (let asked = 0; asked < 8; asked++) (await at.asked(asked)).sink.closed(refused);
    expect((await answer)?.status).toBe(502);
    expect(JSON.parse((await answer)?.body ?? "").detail).toBe("The service cannot be reached: it takes no connection (ECONNREFUSED)");
    await at.bed.allGivenBack();
  });

  test("that breaks the connection off has got the request: what may change something goes to no other", async () => {
    await using at = new LinkBed(2);
    const answer = at.bed.ask(["POST / HTTP/1.1", "Host: a"]);
    (await at.reached(0)).sink.closed({ reason: "reply-aborted", detail: "The service broke off a connection" });
    expect((await answer)?.status).toBe(502);
    expect(at.linked).toHaveLength(1);
    await at.bed.allGivenBack();
  });

  test("whose instance is gone at once is asked for eight times, and then told", async () => {
    await using bed = new ServiceBed([
      (sink) => {
        sink.closed({ reason: "runner-died", detail: "the instance has ended" });
        return { write: () => true, consumed: () => {}, reset: () => {} };
      },
    ]);
    const answer = await bed.ask(get);
    expect(answer?.status).toBe(502);
    expect(JSON.parse(answer?.body ?? "").detail).toBe("The service cannot be reached: the instance has ended");
    expect(bed.places).toHaveLength(8);
    await bed.allGivenBack();
  });

  test("that is slow makes the client wait; a client that is slow makes it wait", async () => {
    await using at = new LinkBed();
    using client = await at.bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    const linked = await at.reached(0);
    linked.takes = false;
    client.send("1\r\nx\r\n");
    await eventually("the first piece comes", () => linked.received.endsWith("1\r\nx\r\n"));
    client.send("1\r\ny\r\n0\r\n\r\n");
    // Another request has been answered: what was sent before it has been read as well.
    await at.bed.ask(["GET nowhere HTTP/1.1", "Host: a"]);
    expect(linked.received).not.toContain("y");
    linked.takes = true;
    linked.sink.writable();
    await eventually("the rest comes", () => linked.received.endsWith("1\r\ny\r\n0\r\n\r\n"));

    client.pause();
    linked.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const piece = `10000\r\n${"z".repeat(0x10000)}\r\n`;
    let sent = 0;
    await eventually("it is not asked for more", () => {
      if (sent - linked.consumedBytes > 256 * 1024) return true;
      for (let turn = 0; turn < 16; turn++, sent += piece.length) linked.send(piece);
      return false;
    });
    client.resume();
    linked.send("0\r\n\r\n");
    expect((await client.response())?.body.length).toBe((sent / piece.length) * 0x10000);
    await at.bed.allGivenBack();
  });

  test("is told when the client leaves", async () => {
    await using at = new LinkBed();
    const client = await at.bed.connect();
    client.send(`${get.join("\r\n")}\r\n\r\n`);
    const linked = await at.reached(0);
    client.drop();
    await eventually("it is told", () => linked.resets.length === 1);
    await at.bed.allGivenBack();
  });

  test("may switch protocols, and each side ends on its own", async () => {
    await using at = new LinkBed();
    using client = await at.bed.connect();
    client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    const linked = await at.reached(0);
    linked.send("HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    expect((await client.response())?.status).toBe(101);
    client.send("question");
    await eventually("it is asked", () => linked.received.endsWith("question"));
    client.finish();
    await eventually("it hears the end", () => linked.hasEnded);
    linked.send("answer", true);
    linked.sink.closed();
    await client.closed;
    expect(await at.bed.told(0)).toMatchObject({ status: 101, bytesIn: 8, bytesOut: 6 });
    await at.bed.allGivenBack();
  });
});

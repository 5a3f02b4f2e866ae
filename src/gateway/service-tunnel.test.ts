import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../tests/eventually.ts";
import { answering, type DaemonScript, ok, RawDaemon } from "../../tests/raw-daemon.ts";
import { ServiceBed, type ServiceBedOptions } from "../../tests/service-bed.ts";

const upgrade = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\nSec-Chat: x\r\n\r\n";
const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: chat/1\r\nX-Agreed: yes\r\n\r\n";

/** Switches, and says something along with it. */
const switches =
  (first = ""): DaemonScript =>
  (connection) => {
    if (connection.received.endsWith("Sec-Chat: x\r\n\r\n") || /sec-chat: x\r\n[^]*\r\n\r\n$/.test(connection.received))
      connection.send(switching + first);
  };

/** A client that has left HTTP. */
class Chatter {
  received = "";
  receivedBytes = 0;
  forgets = false;
  hasEnded = false;
  isClosed = false;
  #socket: Socket | undefined;

  async start(port: number, first = upgrade): Promise<this> {
    this.#socket = await Bun.connect({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: {
        data: (_, chunk) => {
          this.receivedBytes += chunk.length;
          if (!this.forgets) this.received += chunk.toString("latin1");
        },
        end: () => void (this.hasEnded = true),
        close: () => void (this.isClosed = true),
      },
    });
    this.#socket.write(first);
    return this;
  }

  say(text: string): void {
    this.#socket?.write(text);
  }

  finish(): void {
    this.#socket?.shutdown();
  }

  drop(): void {
    this.#socket?.terminate();
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    this.#socket?.resume();
  }

  async has(text: string): Promise<string> {
    return await eventually(
      () => `the client gets ${text}; it has ${this.received.slice(-300)}`,
      () => (this.received.includes(text) ? this.received : undefined),
    );
  }
}

async function bedOf(script: DaemonScript, options?: ServiceBedOptions) {
  const daemon = new RawDaemon(script);
  const bed = new ServiceBed([daemon.port], options);
  return {
    daemon,
    bed,
    [Symbol.asyncDispose]: async () => {
      await bed[Symbol.asyncDispose]();
      daemon[Symbol.dispose]();
    },
  };
}

describe("an upgrade", () => {
  test("is asked of the daemon; from its 101 on both say what they like", async () => {
    await using at = await bedOf(switches("first words "));
    const client = await new Chatter().start(at.bed.port, `${upgrade}too early`);
    const answer = await client.has("first words ");
    expect(answer).toStartWith("HTTP/1.1 101 ");
    expect(answer.toLowerCase()).toContain("\r\nconnection: upgrade\r\n");
    expect(answer.toLowerCase()).toContain("\r\nupgrade: chat/1\r\n");
    expect(answer.toLowerCase()).toContain("\r\nx-agreed: yes\r\n");
    expect(answer).toContain("\r\nx-request-id: ");
    const connection = await at.daemon.connection(0);
    expect(await connection.has("too early")).toContain("\r\nconnection: upgrade\r\nupgrade: chat/1\r\n");
    for (let turn = 0; turn < 5; turn++) {
      client.say(`ping ${turn}.`);
      await connection.has(`ping ${turn}.`);
      connection.send(`pong ${turn}.`);
      await client.has(`pong ${turn}.`);
    }
    expect(at.bed.places[0]?.outcome).toBeUndefined();
    client.finish();
    await eventually("the daemon hears that it is over", () => connection.hasEnded);
    connection.send("goodbye");
    await client.has("goodbye");
    connection.finish();
    await eventually("the client hears that it is over", () => client.hasEnded || client.isClosed);
    const received = "too earlyping 0.ping 1.ping 2.ping 3.ping 4.".length;
    expect(await at.bed.told(0)).toMatchObject({ status: 101, bytesIn: received, attempts: undefined });
    expect(at.bed.receipts[0]?.error).toBeUndefined();
    await at.bed.allGivenBack();
    expect(at.bed.places).toMatchObject([{ outcome: "sound" }]);
  });

  test("may be declined: the answer is one like any other, and the connection goes on", async () => {
    await using at = await bedOf(answering(ok("no")));
    const client = await new Chatter().start(at.bed.port);
    await client.has("\r\n\r\nno");
    client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually("it is answered again", () => client.received.split("\r\n\r\nno").length === 3);
    expect(at.daemon.connections).toHaveLength(1);
    client.drop();
    await at.bed.allGivenBack();
  });

  test("to HTTP/2 or TLS is not asked for", async () => {
    await using at = await bedOf(answering(ok("plain")));
    const client = await new Chatter().start(
      at.bed.port,
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n",
    );
    await client.has("plain");
    expect(at.daemon.received.toLowerCase()).not.toContain("h2c");
    expect(at.daemon.received.toLowerCase()).not.toContain("http2-settings");
    client.drop();
  });
});

describe("a tunnel", () => {
  const opened = async (at: { bed: ServiceBed; daemon: RawDaemon }) => {
    const client = await new Chatter().start(at.bed.port);
    await client.has("\r\n\r\n");
    return { client, connection: await at.daemon.connection(0) };
  };

  test("ends for the daemon when the client is gone", async () => {
    await using at = await bedOf(switches());
    const { client, connection } = await opened(at);
    client.drop();
    await connection.closed();
    expect(await at.bed.told(0)).toMatchObject({ status: 101 });
    await at.bed.allGivenBack();
  });

  test("ends for the client when the daemon is gone", async () => {
    await using at = await bedOf(switches());
    const { client, connection } = await opened(at);
    connection.reset();
    await eventually("the client hears of it", () => client.hasEnded || client.isClosed);
    client.drop();
    await at.bed.allGivenBack();
  });

  test("gives the client the daemon's last words, however many", async () => {
    await using at = await bedOf(switches());
    const { client, connection } = await opened(at);
    const words = "x".repeat(3_000_000);
    client.pause();
    connection.send(words);
    await eventually("all was written", () => connection.unsentBytes < words.length);
    client.resume();
    await eventually("all is on the way", () => connection.unsentBytes === 0);
    connection.close();
    await eventually("all has come", () => client.received.length > words.length && client.hasEnded);
    client.finish();
    await at.bed.allGivenBack();
  });

  test("makes who is faster wait for who is slower, both ways", async () => {
    await using at = await bedOf(switches());
    const { client, connection } = await opened(at);
    const many = Buffer.alloc(160 * 1024 * 1024, "y");
    client.forgets = true;
    client.pause();
    connection.send(many);
    let seen = { value: -1, at: 0 };
    await eventually("the daemon waits", () => {
      if (connection.unsentBytes !== seen.value) seen = { value: connection.unsentBytes, at: performance.now() };
      return performance.now() - seen.at > 200;
    });
    expect(connection.unsentBytes).toBeGreaterThan(many.length / 2);
    client.resume();
    await eventually("all has come", () => client.receivedBytes > many.length);
    client.drop();
    await at.bed.allGivenBack();
    expect(at.bed.receipts[0]?.bytesOut).toBe(many.length);
  }, 30_000);

  test("on which nobody says anything for service.idle is ended", async () => {
    await using at = await bedOf(switches(), { idleMs: 1_000 });
    const { client, connection } = await opened(at);
    let said = 0;
    // For longer than that, each word when the one before has come.
    for (const began = performance.now(); performance.now() - began < 1_500;) {
      client.say(".");
      said++;
      await eventually("it comes", () => connection.received.endsWith(".".repeat(said)));
    }
    expect(client.isClosed).toBe(false);
    await connection.closed();
    await eventually("the client hears of it", () => client.hasEnded || client.isClosed);
    expect(await at.bed.told(0)).toMatchObject({ status: 101, error: "deadline" });
    client.drop();
    await at.bed.allGivenBack();
  });

  test("goes on while the host drains, until it is ended", async () => {
    await using at = await bedOf(switches());
    const { client, connection } = await opened(at);
    const drained = at.bed.gateway.drain();
    client.say("still here");
    await connection.has("still here");
    at.bed.gateway.abort();
    await drained;
    await connection.closed();
    await eventually("the client hears of it", () => client.hasEnded || client.isClosed);
    expect(await at.bed.told(0)).toMatchObject({ status: 101, error: "draining" });
    client.drop();
    await at.bed.allGivenBack();
  });

  test("ends with its instance", async () => {
    await using at = await bedOf(switches());
    const { client } = await opened(at);
    at.bed.lose("i0");
    await eventually("the client hears of it", () => client.hasEnded || client.isClosed);
    expect(await at.bed.told(0)).toMatchObject({ status: 101, error: "runner-died" });
    client.drop();
    await at.bed.allGivenBack();
  });
});

describe("a WebSocket", () => {
  test("works with those that others have made, on both sides", async () => {
    using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
      websocket: { message: (socket, message) => void socket.send(`you said ${String(message)}`) },
    });
    await using bed = new ServiceBed([server.port ?? 0]);
    const client = new WebSocket(`ws://127.0.0.1:${bed.port}/`);
    const said: string[] = [];
    client.addEventListener("message", ({ data }) => void said.push(String(data)));
    await new Promise((resolve) => client.addEventListener("open", resolve));
    const long = "z".repeat(100_000);
    client.send("hello");
    client.send(long);
    await eventually("both are answered", () => said.length === 2);
    expect(said).toEqual(["you said hello", `you said ${long}`]);
    client.close(1000, "done");
    await new Promise((resolve) => client.addEventListener("close", resolve));
    expect(await bed.told(0)).toMatchObject({ status: 101 });
    await bed.allGivenBack();
  });
});

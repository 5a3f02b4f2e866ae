import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import { answering, type DaemonScript, ok, RawDaemon } from "../../tests/raw-daemon.ts";
import { ServiceBed } from "../../tests/service-bed.ts";

const get = ["GET / HTTP/1.1", "Host: a"];
const post = ["POST / HTTP/1.1", "Host: a", "Content-Length: 4"];

/** A port of the loopback at which nobody listens. */
function deafPort(): number {
  using daemon = new RawDaemon();
  return daemon.port;
}

const closing: DaemonScript = (connection) => connection.close();

describe("a daemon that fails before anything of a reply is there", () => {
  test("costs a safe request nothing: another instance answers it", async () => {
    using bad = new RawDaemon(closing);
    using good = new RawDaemon(answering(ok("good")));
    await using bed = new ServiceBed([bad.port, good.port]);
    const response = await bed.ask(get);
    expect(response).toMatchObject({ status: 200, body: "good" });
    expect(response?.headers.get("x-urocket-instance")).toBe("i1");
    expect(await bed.told(0)).toMatchObject({ status: 200, instance: "i1", attempts: 2 });
    expect(bed.places).toMatchObject([
      { instance: "i0", outcome: "failed" },
      { instance: "i1", outcome: "sound", avoid: ["i0"] },
    ]);
    await bed.allGivenBack();
  });

  test("costs any request nothing where it took no connection: nothing was sent", async () => {
    using good = new RawDaemon((connection) => {
      if (connection.received.endsWith("body")) connection.send(ok("good"));
    });
    await using bed = new ServiceBed([deafPort(), good.port]);
    expect(await bed.ask(post, "body")).toMatchObject({ status: 200, body: "good" });
    expect(bed.places.map(({ outcome }) => outcome)).toEqual(["failed", "sound"]);
    await bed.allGivenBack();
  });

  test("costs a request that must not be sent twice a 502, and the instance a mark", async () => {
    using bad = new RawDaemon(closing);
    using good = new RawDaemon(answering(ok("good")));
    await using bed = new ServiceBed([bad.port, good.port]);
    const response = await bed.ask(post, "body");
    expect(response?.status).toBe(502);
    expect(response?.headers.get("x-urocket-error")).toBe("service-failed");
    expect(JSON.parse(response?.body ?? "").detail).toBe("The service failed: the connection was closed without a reply");
    expect(good.connections).toHaveLength(0);
    expect(bed.places).toMatchObject([{ outcome: "failed" }]);
    await bed.allGivenBack();
  });

  test("is tried once more, and then it is told", async () => {
    using bad = new RawDaemon(closing);
    using worse = new RawDaemon((connection) => connection.reset());
    await using bed = new ServiceBed([bad.port, worse.port, bad.port]);
    expect((await bed.ask(get))?.status).toBe(502);
    expect(bed.places.map(({ outcome }) => outcome)).toEqual(["failed", "failed"]);
    await using deaf = new ServiceBed([deafPort(), deafPort()]);
    const response = await deaf.ask(get);
    expect(JSON.parse(response?.body ?? "").detail).toBe("The service cannot be reached: connection refused");
    expect(deaf.places).toHaveLength(8);
    expect(await deaf.told(0)).toMatchObject({ status: 502, error: "service-failed", attempts: 8 });
  });

  test("is the only one: it is asked again", async () => {
    let asked = 0;
    using daemon = new RawDaemon((connection) => (++asked === 1 ? connection.close() : connection.send(ok("good"))));
    await using bed = new ServiceBed([daemon.port]);
    expect(await bed.ask(get)).toMatchObject({ status: 200, body: "good" });
    expect(bed.places[1]).toMatchObject({ avoid: ["i0"], instance: "i0" });
  });

  test("has no instance left to take its place", async () => {
    await using bed = new ServiceBed([]);
    const response = await bed.ask(get);
    expect(response?.status).toBe(503);
    expect(response?.headers.get("retry-after")).toBe("1");
    await bed.allGivenBack();
  });
});

describe("a connection that the daemon closes while it waits", () => {
  /** Answers the first request of each connection and closes it when the second comes: a race lost, made certain. */
  const closesOnSecond =
    (isSent = true): DaemonScript =>
    (connection) => {
      const requests = connection.received.split(" HTTP/1.1\r\n").length - 1;
      if (requests === 1 && isSent) connection.send(ok("once"));
      else connection.close();
    };

  test("costs an idempotent request nothing, and the instance no mark", async () => {
    using daemon = new RawDaemon(closesOnSecond());
    await using bed = new ServiceBed([daemon.port]);
    for (let turn = 0; turn < 3; turn++) expect(await bed.ask(get)).toMatchObject({ status: 200, body: "once" });
    expect(await bed.ask(["DELETE / HTTP/1.1", "Host: a"])).toMatchObject({ status: 200, body: "once" });
    expect(bed.receipts.map(({ attempts }) => attempts)).toEqual([undefined, undefined, undefined, undefined]);
    expect(bed.places.map(({ outcome }) => outcome)).toEqual(["sound", "sound", "sound", "sound"]);
    await bed.allGivenBack();
  });

  test("takes what may change something to no other instance when the daemon is gone altogether", async () => {
    const daemon: RawDaemon = new RawDaemon((connection) => {
      if (!connection.received.includes("PUT")) return connection.send(ok("once"));
      daemon[Symbol.dispose]();
      connection.close();
    });
    using other = new RawDaemon(answering(ok("twice")));
    await using bed = new ServiceBed([daemon.port, other.port]);
    expect(await bed.ask(get)).toMatchObject({ status: 200, body: "once" });
    // Its turn again.
    expect(await bed.ask(get)).toMatchObject({ status: 200, body: "twice" });
    expect((await bed.ask(["PUT / HTTP/1.1", "Host: a", "Content-Length: 4"], "body"))?.status).toBe(502);
    expect(other.connections).toHaveLength(1);
    expect(other.connections[0]?.received).not.toContain("PUT");
    await bed.allGivenBack();
  });

  test("is noticed at once", async () => {
    using daemon = new RawDaemon((connection) => connection.send(ok("hello")));
    await using bed = new ServiceBed([daemon.port]);
    await bed.ask(get);
    daemon.connections[0]?.close();
    await eventually("it is closed", () => daemon.connections[0]?.isClosed);
    expect(await bed.ask(post, "body")).toMatchObject({ status: 200 });
    expect(daemon.connections).toHaveLength(2);
  });
});

describe("a daemon that fails on the way", () => {
  test("breaks the client's answer off: half is never taken for whole", async () => {
    for (const framing of ["Content-Length: 100\r\n\r\nhalf", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"]) {
      using daemon = new RawDaemon((connection) => connection.send(`HTTP/1.1 200 OK\r\n${framing}`));
      await using bed = new ServiceBed([daemon.port]);
      using client = await bed.connect();
      client.send(`${get.join("\r\n")}\r\n\r\n`);
      await eventually("the answer has begun", () => client.received().includes("half"));
      daemon.connections[0]?.close();
      expect(await client.response()).toBeUndefined();
      expect(await bed.told(0)).toMatchObject({ status: 200, error: "reply-aborted" });
      expect(bed.places).toMatchObject([{ outcome: "failed" }]);
      await bed.allGivenBack();
    }
  });

  test("by a reset in an answer that ends with its connection is no end", async () => {
    using daemon = new RawDaemon((connection) => connection.send("HTTP/1.1 200 OK\r\n\r\nhalf"));
    await using bed = new ServiceBed([daemon.port]);
    using client = await bed.connect();
    client.send(`${get.join("\r\n")}\r\n\r\n`);
    await eventually("the answer has begun", () => client.received().includes("half"));
    daemon.connections[0]?.reset();
    expect(await client.response()).toBeUndefined();
    expect(await bed.told(0)).toMatchObject({ status: 200, error: "reply-aborted" });
  });

  test.each([
    ["no HTTP", "SSH-2.0-OpenSSH\r\n\r\n", "does not begin with an HTTP/1 status line"],
    ["two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab", "Content-Length is not one number"],
    [
      "length and chunks",
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
      "both Content-Length and Transfer-Encoding",
    ],
    ["another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "Transfer-Encoding"],
    ["bad chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n", "chunks are malformed"],
    ["a folded line", "HTTP/1.1 200 OK\r\nA: b\r\n c\r\nContent-Length: 0\r\n\r\n", "folding"],
    ["a bare line feed", "HTTP/1.1 200 OK\nContent-Length: 0\n\n", "CR LF"],
    ["101 that nobody asked for", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "nobody asked for"],
  ])("by what is no reply is a 502 that says why: %s", async (_, reply, words) => {
    using daemon = new RawDaemon((connection) => connection.send(reply));
    await using bed = new ServiceBed([daemon.port]);
    const response = await bed.ask(post, "body");
    expect(response?.status).toBe(502);
    expect(response?.headers.get("x-urocket-error")).toBe("bad-reply");
    expect(JSON.parse(response?.body ?? "").detail).toContain(words);
    await (await daemon.connection(0)).closed();
    expect(bed.places).toMatchObject([{ outcome: "failed" }]);
    await bed.allGivenBack();
  });

  test("by ending with its instance costs a safe request nothing, any other a 502", async () => {
    using daemon = new RawDaemon();
    using good = new RawDaemon(answering(ok("good")));
    await using bed = new ServiceBed([daemon.port, good.port, daemon.port]);
    const safe = bed.ask(get);
    await (await daemon.connection(0)).has("\r\n\r\n");
    bed.lose("i0");
    expect(await safe).toMatchObject({ status: 200, body: "good" });
    const other = bed.ask(post, "body");
    await (await daemon.connection(1)).has("body");
    bed.lose("i2");
    expect((await other)?.status).toBe(502);
    expect(await bed.told(1)).toMatchObject({ error: "runner-died", detail: "The app's instance i2 was killed" });
    await bed.allGivenBack();
  });
});

describe("a daemon that takes its time", () => {
  test("is not to blame for a client that does not send all of its request", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port], { handler: { timeoutMs: 500 } });
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n");
    expect((await client.response())?.status).toBe(504);
    expect(bed.places).toMatchObject([{ outcome: "untold" }]);
  });

  test("is answered for when it has not begun within the timeout, which names what was waited for", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port], { handler: { timeoutMs: 500 } });
    const response = await bed.ask(get);
    expect(response?.status).toBe(504);
    expect(JSON.parse(response?.body ?? "").detail).toBe(
      "The deadline of 500 ms (timeout) passed while the service's reply was waited for",
    );
    await (await daemon.connection(0)).closed();
    expect(bed.places).toMatchObject([{ outcome: "silent" }]);
    bed.gives = false;
    expect(JSON.parse((await bed.ask(get))?.body ?? "").detail).toContain("an instance with room for the request was waited for");
    expect(bed.places[1]?.withdrawn).toBe(true);
    await bed.allGivenBack();
  });

  test("may go on for as long as it says something, but no longer than service.idle without", async () => {
    using daemon = new RawDaemon((connection) => connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"));
    await using bed = new ServiceBed([daemon.port], { handler: { timeoutMs: 500 }, idleMs: 1_000 });
    const began = performance.now();
    const response = await fetch(bed.url);
    const connection = await daemon.connection(0);
    const talk = setInterval(() => connection.send("1\r\nx\r\n"), 50);
    await eventually("it goes on beyond both", () => performance.now() - began > 1_500);
    expect(bed.gateway.exchangesOpen).toBe(1);
    clearInterval(talk);
    expect(response.text()).rejects.toThrow();
    expect(await bed.told(0)).toMatchObject({ status: 200, error: "deadline" });
    expect(bed.receipts[0]?.detail).toBe("Neither side said anything for 1000 ms (service.idle)");
    await bed.allGivenBack();
  });

  test("may take its client's time: a body on its way is no silence", async () => {
    using daemon = new RawDaemon((connection) => {
      if (connection.received.endsWith("0\r\n\r\n")) connection.send(ok("taken"));
    });
    await using bed = new ServiceBed([daemon.port], { handler: { timeoutMs: 1_000 } });
    using client = await bed.connect();
    client.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    let pieces = 0;
    // Past the timeout, each piece when the one before has come.
    for (const began = performance.now(); performance.now() - began < 1_500;) {
      client.send("1\r\nx\r\n");
      pieces++;
      await eventually("it comes", () => daemon.connections[0]?.received.split("1\r\nx\r\n").length === pieces + 1);
    }
    client.send("0\r\n\r\n");
    expect(await client.response()).toMatchObject({ status: 200, body: "taken" });
  });
});

describe("a client that leaves", () => {
  test("behind the beginning of an answer has had one", async () => {
    using daemon = new RawDaemon((connection) => connection.send("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"));
    await using bed = new ServiceBed([daemon.port]);
    const client = await bed.connect();
    client.send(`${get.join("\r\n")}\r\n\r\n`);
    await eventually("the answer has begun", () => client.received().endsWith("half"));
    client.drop();
    await bed.told(0);
    expect(bed.places).toMatchObject([{ outcome: "sound" }]);
  });

  test("ends what was under way for it, and nothing else", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port]);
    const client = await bed.connect();
    client.send(`${get.join("\r\n")}\r\n\r\n`);
    const connection = await daemon.connection(0);
    await connection.has("\r\n\r\n");
    client.drop();
    await connection.closed();
    expect(await bed.told(0)).toMatchObject({ status: 499 });
    expect(bed.places).toMatchObject([{ outcome: "untold" }]);
    await bed.allGivenBack();
  });

  test("before a place was found asks for none any more", async () => {
    using daemon = new RawDaemon();
    await using bed = new ServiceBed([daemon.port]);
    bed.gives = false;
    const client = await bed.connect();
    client.send(`${get.join("\r\n")}\r\n\r\n`);
    const place = await eventually("a place is asked for", () => bed.places[0]);
    client.drop();
    await eventually("it is withdrawn", () => place.withdrawn);
    expect(daemon.connections).toHaveLength(0);
    await bed.allGivenBack();
  });
});

/** Run in a process of its own: whoever else is in one without descriptors fails, too. */
const withoutDescriptors = `
import { closeSync, openSync } from "node:fs";
import { answering, RawDaemon } from ${JSON.stringify(join(import.meta.dir, "../../tests/raw-daemon.ts"))};
import { ServiceBed } from ${JSON.stringify(join(import.meta.dir, "../../tests/service-bed.ts"))};

const daemon = new RawDaemon(answering("HTTP/1.1 200 OK\\r\\nConnection: close\\r\\nContent-Length: 2\\r\\n\\r\\nok"));
const bed = new ServiceBed([daemon.port]);
const client = await bed.connect();
const ask = async () => {
  client.send("GET / HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n");
  const response = await client.response();
  const retryAfter = response?.headers.get("retry-after");
  return { status: response?.status, error: response?.headers.get("x-urocket-error"), retryAfter };
};
const before = await ask();
await daemon.connections[0]?.closed();
const held = [];
try {
  for (;;) held.push(openSync("/dev/null", "r"));
} catch {}
const without = await ask();
for (const one of held) closeSync(one);
const after = await ask();
console.log(JSON.stringify({ before, without, after, outcomes: bed.places.map(({ outcome }) => outcome) }));
process.exit(0);
`;

describe("a host that has no file descriptor left", () => {
  test("says so, is asked again later, and blames no instance for it", () => {
    const child = Bun.spawnSync(["sh", "-c", 'ulimit -n 128; exec "$0" -e "$1"', process.execPath, withoutDescriptors]);
    expect(child.stderr.toString()).toBe("");
    expect(JSON.parse(child.stdout.toString())).toEqual({
      before: { status: 200, error: null, retryAfter: null },
      without: { status: 503, error: "too-many-connections", retryAfter: "1" },
      after: { status: 200, error: null, retryAfter: null },
      outcomes: ["sound", "untold", "sound"],
    });
  });
});

describe("a host that stops", () => {
  test("lets what has begun go on until it is told to end it", async () => {
    using daemon = new RawDaemon((connection) => connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n"));
    await using bed = new ServiceBed([daemon.port]);
    const response = await fetch(bed.url);
    const drained = bed.gateway.drain();
    expect((await fetch(bed.url)).status).toBe(503);
    const connection = await daemon.connection(0);
    connection.send("1\r\nb\r\n");
    const reader = response.body?.getReader();
    let text = "";
    while (text !== "ab") text += Buffer.from((await reader?.read())?.value ?? []).toString();
    bed.gateway.abort();
    await drained;
    expect(reader?.read()).rejects.toThrow();
    await connection.closed();
    await bed.allGivenBack();
  });
});

/** The reply socket as programs meet it: real sockets, raw bytes. */
import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { ProgramReply } from "./reply-head.ts";
import { EndedExchanges, type EndedHow } from "./ended-exchanges.ts";
import type { ReplyRefusal, ReplySource, ReplyTarget } from "./reply-connection.ts";
import { socketPathBytesMax } from "../core/socket-path.ts";
import { connectionsMax, ReplyServer } from "./reply-server.ts";
import { findSibling } from "./reply-siblings.ts";

/** An exchange that takes what comes. */
class Target implements ReplyTarget {
  replyStanding: "awaited" | EndedHow = "awaited";
  head: ProgramReply | undefined;
  body = "";
  chunks = 0;
  aborted = false;
  refusal: string | undefined;
  source: ReplySource | undefined;
  /** Whether it answers by itself. */
  takes = true;
  readonly ended = Promise.withResolvers<void>();
  readonly began = Promise.withResolvers<void>();

  beginReply(source: ReplySource, head: ProgramReply, chunk: Uint8Array, last: boolean): boolean {
    this.replyStanding = "answered";
    this.source = source;
    this.head = head;
    this.began.resolve();
    return this.replyData(chunk, last);
  }
  replyData(chunk: Uint8Array, last: boolean): boolean {
    this.body += Buffer.from(chunk).toString();
    this.chunks++;
    if (last) {
      if (this.takes) this.source?.taken();
      this.ended.resolve();
    }
    return true;
  }
  replyAborted(): void {
    this.aborted = true;
    this.ended.resolve();
  }
  replyRefused(refusal: ReplyRefusal): void {
    this.refusal = refusal.reason;
  }
}

const cleanUps: (() => void)[] = [];
afterEach(() => {
  for (const cleanUp of cleanUps.splice(0)) cleanUp();
});

function makeFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "urocket-reply-"));
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function serve(path = join(makeFolder(), "reply.sock"), siblings?: string) {
  const targets = new Map<string, ReplyTarget>();
  const ended = new EndedExchanges();
  const server = new ReplyServer(
    { targets, ended, findSibling: async (wanted) => (siblings === undefined ? undefined : findSibling(siblings, path, wanted)) },
    () => {},
  );
  cleanUps.push(() => server.close());
  const opened = await server.open(path, false);
  const add = (name: string): Target => {
    const target = new Target();
    targets.set(name, target);
    return target;
  };
  return { server, path, targets, ended, opened, add };
}

/** A client that speaks raw bytes. */
async function dial(path: string) {
  let text = "";
  const closed = Promise.withResolvers<string>();
  const waiting: { until: string; resolve: (text: string) => void }[] = [];
  const check = (): void => {
    for (const each of waiting.splice(0)) {
      if (text.includes(each.until)) each.resolve(text);
      else waiting.push(each);
    }
  };
  const socket = await Bun.connect({
    unix: path,
    allowHalfOpen: true,
    socket: {
      data(_, chunk) {
        text += chunk.toString("latin1");
        check();
      },
      end: (it) => void it.end(),
      close: () => closed.resolve(text),
    },
  });
  cleanUps.push(() => socket.terminate());
  return {
    send: (bytes: string) => socket.write(Buffer.from(bytes, "latin1")),
    halfClose: () => socket.shutdown(),
    drop: () => socket.terminate(),
    until: (wanted: string) =>
      new Promise<string>((resolve) => {
        waiting.push({ until: wanted, resolve });
        check();
      }),
    closed: closed.promise,
    reset: () => (text = ""),
  };
}

const post = (path: string, body: string, headers = ""): string =>
  `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers}\r\n${body}`;

describe("a reply", () => {
  test("that comes a byte at a time is taken", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    for (const byte of post("/uri/a", "slowly")) client.send(byte);
    expect(await client.until("200 OK\r\nContent-Length: 0\r\n\r\n")).toStartWith("HTTP/1.1 200 OK\r\n");
    expect(target.body).toBe("slowly");
  });

  test("goes on before its body has come", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    target.takes = false;
    const client = await dial(path);
    client.send("POST /uri/a?status=202 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    await target.began.promise;
    expect(target.head).toEqual({ status: 202, headers: [] });
    client.send("3\r\nabc\r\n0\r\n\r\n");
    await target.ended.promise;
    expect(target.body).toBe("abc");
  });

  test("and the next on the same connection, pipelined", async () => {
    const { path, add } = await serve();
    const [a, b] = [add("/uri/a"), add("/uri/b")];
    const client = await dial(path);
    client.send(post("/uri/a", "1") + post("/uri/b", "2") + post("/uri/a", "3"));
    const text = await client.until("already");
    expect(text.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200", "HTTP/1.1 200", "HTTP/1.1 409"]);
    expect([a.body, b.body]).toEqual(["1", "2"]);
  });

  test("gets its answers in order: a request behind one that is judged waits", async () => {
    const { path, add } = await serve();
    const [a, b] = [add("/uri/a"), add("/uri/b")];
    a.takes = false;
    const client = await dial(path);
    client.send(post("/uri/a", "1") + post("/uri/b", "2"));
    await a.ended.promise;
    expect(b.head).toBeUndefined();
    a.source?.judged(422, Buffer.from('{"why":1}'));
    const text = await client.until("200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(text).toContain(
      'HTTP/1.1 422 Unprocessable Content\r\nContent-Type: application/problem+json\r\nContent-Length: 9\r\n\r\n{"why":1}HTTP/1.1 200',
    );
  });

  test("that is refused before it is whole is read to its end, and not taken for a request of its own", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    client.send("POST /uri/a HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n12345");
    await target.began.promise;
    target.source?.judged(422, Buffer.from('{"why":1}'));
    expect(await client.until('{"why":1}')).toContain("422 Unprocessable Content");
    client.send("67890");
    expect(await client.closed).toEndWith('{"why":1}');
    expect(target).toMatchObject({ body: "12345", aborted: false });
  });

  test("that asks first is told to go on", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    client.send("POST /uri/a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc");
    await client.until("200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(target.body).toBe("abc");
  });

  test("that asks first and cannot be taken is told at once, and the connection closes", async () => {
    const { path } = await serve();
    const client = await dial(path);
    client.send("POST /uri/x HTTP/1.1\r\nHost: h\r\nContent-Length: 3000000\r\nExpect: 100-continue\r\n\r\n");
    expect(await client.closed).toStartWith("HTTP/1.1 404 Not Found\r\n");
  });

  test("with curl's http:/uri/x, which makes a host of the first word, is taken", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const curl = Bun.spawn(["curl", "-sS", "-m", "5", "--unix-socket", path, "-d", "x", "http:/uri/a"], { stdout: "pipe" });
    expect(await curl.stdout.text()).toBe("");
    expect(target.body).toBe("x");
    expect(target.head?.headers).toEqual([]);
  });

  test("whose connection breaks is aborted", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    client.send("POST /uri/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    await target.began.promise;
    client.drop();
    await target.ended.promise;
    expect(target.aborted).toBe(true);
  });

  test("whose sender half-closes in the middle is aborted too", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    client.send("POST /uri/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    client.halfClose();
    await target.ended.promise;
    expect(target.aborted).toBe(true);
  });

  test("that is over before its end is told so", async () => {
    const { path, add } = await serve();
    const target = add("/uri/a");
    const client = await dial(path);
    client.send("POST /uri/a HTTP/1.1\r\nHost: h\r\nContent-Length: 100\r\n\r\nhalf");
    await target.began.promise;
    target.source?.tooLate("too-late");
    expect(await client.closed).toStartWith("HTTP/1.1 410 Gone\r\n");
  });
});

describe("what is not a reply", () => {
  test("GET asks whether one is awaited", async () => {
    const { path, add } = await serve();
    add("/uri/a");
    const client = await dial(path);
    client.send("GET /uri/a HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(await client.until("\r\n\r\n")).toBe("HTTP/1.1 204 No Content\r\n\r\n");
    client.reset();
    client.send("GET /uri/b HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(await client.until("UROCKET_REPLY")).toStartWith("HTTP/1.1 404 Not Found");
  });

  test("other verbs are refused with those that are allowed", async () => {
    const { path } = await serve();
    const client = await dial(path);
    client.send("DELETE /uri/a HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(await client.until("GET asks")).toContain("405 Method Not Allowed\r\n");
    expect(await client.until("Allow: GET, POST, PUT")).toBeString();
  });

  test("what is not HTTP is refused and the connection closed", async () => {
    const { path } = await serve();
    const client = await dial(path);
    client.send("hello\r\n\r\n");
    expect(await client.closed).toStartWith("HTTP/1.1 400 Bad Request\r\n");
  });

  test.each([
    ["answered", 409],
    ["too-late", 410],
    ["client-left", 410],
  ] as const)("for a request that is over (%s) it is %d, its body read and dropped", async (how, status) => {
    const { path, ended } = await serve();
    ended.add("/uri/a", how);
    const client = await dial(path);
    client.send(post("/uri/a", "x".repeat(100_000)) + post("/uri/a", "y"));
    await client.until("}");
    const text = await client.until("}HTTP/1.1");
    expect(text).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("connections beyond the maximum are refused", async () => {
    const { path, server } = await serve();
    const clients: Awaited<ReturnType<typeof dial>>[] = [];
    for (let i = 0; i < connectionsMax; i++) clients.push(await dial(path));
    expect(server.connections).toBe(connectionsMax);
    const one = await dial(path);
    expect(await one.closed).toStartWith("HTTP/1.1 503 Service Unavailable\r\n");
  });

  test("a connection that names nothing is closed after half a minute", async () => {
    const { path, server } = await serve();
    const client = await dial(path);
    client.send("POST /uri/a HT");
    while (server.connections === 0) await new Promise((resolve) => setImmediate(resolve));
    server.tick(performance.now() + 20_000);
    expect(server.connections).toBe(1);
    server.tick(performance.now() + 40_000);
    expect(await client.closed).toStartWith("HTTP/1.1 408 Request Timeout\r\n");
  });
});

describe("the socket", () => {
  test("is for its owner alone", async () => {
    const { path } = await serve();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test("is refused while another serves it, and left alone", async () => {
    const first = await serve();
    const second = await serve(first.path);
    expect(second.opened).toEqual({
      ok: false,
      inUse: true,
      message: `cannot make the reply socket "${first.path}": it is in use by a running process`,
    });
    second.server.close();
    expect(existsSync(first.path)).toBe(true);
  });

  test("that a dead host left is taken over", async () => {
    const path = join(makeFolder(), "reply.sock");
    const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`;
    await Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "ignore" }).exited;
    expect(existsSync(path)).toBe(true);
    const { opened, add } = await serve(path);
    expect(opened).toEqual({ ok: true });
    const target = add("/uri/a");
    const client = await dial(path);
    client.send(post("/uri/a", "1"));
    await client.until("200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(target.body).toBe("1");
  });

  test.each(["nothing", "a dead host's"])("goes to one of many that ask for it at once, where there is %s", async (before) => {
    const path = join(makeFolder(), "reply.sock");
    const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`;
    if (before !== "nothing") await Bun.spawn([process.execPath, "-e", script], { stdout: "ignore", stderr: "ignore" }).exited;
    const asked = await Promise.all(Array.from({ length: 8 }, async () => await serve(path)));
    const [winner, ...more] = asked.filter(({ opened }) => opened.ok);
    expect(more).toEqual([]);
    for (const { opened } of asked) if (!opened.ok) expect(opened.inUse).toBe(true);
    for (const one of asked) if (one !== winner) one.server.close();
    const target = winner?.add("/uri/a");
    const client = await dial(path);
    client.send(post("/uri/a", "1"));
    await client.until("200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(target?.body).toBe("1");
    expect(readdirSync(dirname(path))).toEqual(["reply.sock"]);
  });

  test("that was taken over by name is not removed by its former owner", async () => {
    const first = await serve();
    const second = await serve(first.path);
    expect(await second.server.open(first.path, true)).toEqual({ ok: true });
    first.server.close();
    expect(existsSync(first.path)).toBe(true);
    second.server.close();
    expect(existsSync(first.path)).toBe(false);
  });

  test("is made under a name that nobody can occupy beforehand, and leaves nothing else in its folder", async () => {
    const folder = makeFolder();
    const occupied = `.${process.pid}`;
    mkdirSync(join(folder, occupied));
    const { opened } = await serve(join(folder, "reply.sock"));
    expect(opened).toEqual({ ok: true });
    expect(readdirSync(folder).toSorted()).toEqual([occupied, "reply.sock"]);
  });

  test("is made at the longest path that the system takes, however short its own name", async () => {
    const folder = join(makeFolder(), "x".repeat(200)).slice(0, socketPathBytesMax - 2);
    mkdirSync(folder);
    const { opened, path, add } = await serve(join(folder, "s"));
    expect(opened).toEqual({ ok: true });
    expect(readdirSync(folder)).toEqual(["s"]);
    const target = add("/uri/a");
    const client = await dial(path);
    client.send(post("/uri/a", "1"));
    await client.until("200 OK\r\nContent-Length: 0\r\n\r\n");
    expect(target.body).toBe("1");
  });

  test("is not put in the place of a file, into a folder that is not there, or under a name that is too long", async () => {
    const folder = makeFolder();
    writeFileSync(join(folder, "file"), "precious");
    const { server } = await serve();
    expect(await server.open(join(folder, "file"), true)).toMatchObject({ ok: false, inUse: false });
    expect(await server.open(join(folder, "none", "x.sock"), false)).toMatchObject({ ok: false, inUse: false });
    const long = join(folder, "x".repeat(socketPathBytesMax));
    expect(await server.open(long, false)).toMatchObject({
      ok: false,
      message: expect.stringContaining(`the system takes ${socketPathBytesMax}`),
    });
  });
});

describe("a reply that reached a sibling's socket", () => {
  async function siblings() {
    const folder = makeFolder();
    for (const name of ["one", "two", "gone"]) mkdirSync(join(folder, name));
    const one = await serve(join(folder, "one", "reply.sock"), folder);
    const two = await serve(join(folder, "two", "reply.sock"), folder);
    return { one, two };
  }

  test("is handed on, both ways, whatever its size", async () => {
    const { one, two } = await siblings();
    const target = two.add("/uri/a");
    const body = "x".repeat(3_000_000);
    const curl = Bun.spawn(
      ["curl", "-sS", "-m", "10", "--unix-socket", one.path, "--data-binary", "@-", "http://localhost/uri/a?status=201"],
      {
        stdin: Buffer.from(body),
        stdout: "pipe",
      },
    );
    expect(await curl.stdout.text()).toBe("");
    expect(target.body.length).toBe(body.length);
    expect(target.head?.status).toBe(201);
  });

  test("that nobody awaits is unknown to all", async () => {
    const { one } = await siblings();
    const client = await dial(one.path);
    client.send(post("/uri/nobody", "x"));
    expect(await client.until("UROCKET_REPLY")).toStartWith("HTTP/1.1 404 Not Found");
  });
});

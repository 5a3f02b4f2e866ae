import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type NetConnectOpts, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../../tests/eventually.ts";
import type { Listener } from "../config/app.ts";
import type { Ticked } from "../core/ticker.ts";
import type { ConnectionReceipt, HostEvent, OutputLine } from "../telemetry/receipt.ts";
import type { ConnectionSink, Dispatch, DispatchConnection, OpenConnection } from "./dispatch.ts";
import { lingerMs, quietMs } from "./line-connection.ts";
import { type LineListener, openLineListener } from "./line-listener.ts";

/** What the instance says to a line; undefined: nothing yet. */
type Answer = (line: string) => string | undefined;

/** A listener's client on an instance. */
class OnInstance implements OpenConnection {
  readonly head: DispatchConnection;
  readonly resets: string[] = [];
  received = "";
  told = false;
  takes = true;
  consumedBytes = 0;
  #owed = Buffer.alloc(0);
  #underWay = 0;
  readonly #sink: ConnectionSink;
  readonly #answer: Answer;
  #over = false;

  get isOver(): boolean {
    return this.#over;
  }

  constructor(head: DispatchConnection, sink: ConnectionSink, answer: Answer) {
    this.head = head;
    this.#sink = sink;
    this.#answer = answer;
    sink.taken("instance-1");
  }

  write(lines: Uint8Array, last: boolean): boolean {
    const text = Buffer.from(lines).toString();
    this.received += text;
    this.told ||= last;
    const answers = text
      .split("\n")
      .slice(0, -1)
      .map(this.#answer)
      .filter((answer) => answer !== undefined);
    setImmediate(() => {
      this.say(answers.map((answer) => `${answer}\n`).join(""));
      if (last && this.#answer !== silence) this.end();
    });
    return this.takes;
  }

  /** Answers, within the window of the link. */
  say(text: string): void {
    this.#owed = Buffer.concat([this.#owed, Buffer.from(text)]);
    while (this.#owed.length > 0 && this.#underWay < windowBytes && !this.#over) {
      const chunk = this.#owed.subarray(0, Math.min(65_536, windowBytes - this.#underWay));
      this.#owed = this.#owed.subarray(chunk.length);
      this.#underWay += chunk.length;
      this.#sink.data(chunk, false);
    }
  }

  end(): void {
    if (this.#over) return;
    this.#sink.data(new Uint8Array(0), true);
    this.#close();
  }

  fails(detail: string): void {
    this.#close({ reason: "runner-died", detail });
  }

  logs(text: string): void {
    this.#sink.output({ stream: "log", level: "info", text, cut: false });
  }

  takesMore(): void {
    this.takes = true;
    this.#sink.writable();
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes;
    this.#underWay -= bytes;
    if (this.#underWay < 0) throw new Error("More was consumed than came");
    if (this.#owed.length > 0) setImmediate(() => this.say(""));
  }

  reset(reason: string): void {
    this.resets.push(reason);
    this.#close();
  }

  #close(failure?: { readonly reason: "runner-died"; readonly detail: string }): void {
    if (this.#over) return;
    this.#over = true;
    this.#sink.closed(failure);
  }
}

const windowBytes = 256 * 1024;
const echo: Answer = (line) => `Ok: ${line}`;
const silence: Answer = () => undefined;

/** A revision of an app. */
class Revision {
  readonly opened: OnInstance[] = [];
  answer: Answer;
  /** No instance takes a connection. */
  none = false;
  constructor(answer: Answer) {
    this.answer = answer;
  }

  readonly dispatch: Pick<Dispatch, "connect"> = {
    connect: (head, sink) => {
      const connection = new OnInstance(head, sink, this.answer);
      this.opened.push(connection);
      if (this.none) sink.closed({ reason: "no-instance", detail: "no instance could be started", advice: "look at /x" });
      return connection;
    },
  };

  get last(): OnInstance {
    const last = this.opened.at(-1);
    if (last === undefined) throw new Error("Nobody has been connected");
    return last;
  }
}

/** A ticker whose time passes when it is told to. */
class Clock {
  readonly ticked = new Set<Ticked>();
  now = 1_000;

  add(it: Ticked): void {
    this.ticked.add(it);
  }

  remove(it: Ticked): void {
    this.ticked.delete(it);
  }

  pass(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      this.now = Math.min(end, this.now + 50);
      for (const it of this.ticked) it.tick(this.now);
    }
  }
}

class Bed {
  readonly receipts: ConnectionReceipt[] = [];
  readonly output: OutputLine[] = [];
  readonly events: HostEvent[] = [];
  readonly revision: Revision;
  readonly limits: Partial<Listener>;
  readonly listener: LineListener;
  readonly clock: Clock;

  constructor(listener: LineListener, clock: Clock, answer: Answer, limits: Partial<Listener>) {
    this.listener = listener;
    this.clock = clock;
    this.revision = new Revision(answer);
    this.limits = limits;
  }

  pass(ms: number): void {
    this.clock.pass(ms);
  }

  serve(revision: Revision, limits: Partial<Listener> = this.limits): Promise<void> {
    const { dispatch } = revision;
    const not = (): never => {
      throw new Error("A listener does not ask for this");
    };
    return this.listener.serve({
      app: "fibber",
      listener: { ...terms, ...limits },
      position: 3,
      dispatch: { ...dispatch, open: not, call: not, isFetch: () => false, place: not },
      log: {
        exchange: not,
        output: (line) => this.output.push(line),
        connection: (receipt) => this.receipts.push(receipt),
        host: (event) => this.events.push(event),
      },
    });
  }
}

const place = { file: "/x.yaml", line: 1, column: 1, text: "fib" };
const terms: Listener = {
  name: "tcp:1234",
  at: { kind: "tcp", address: "127.0.0.1", port: 0 },
  framing: "lines",
  function: { file: "/x.ts", export: "fib", named: true, place },
  timeoutMs: 30_000,
  idleMs: 300_000,
  lineBytesMax: 65_536,
  connectionsMax: 1024,
  place,
};

const beds: Bed[] = [];
const clients: Client[] = [];
const folders: string[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.socket.destroy();
  for (const { listener } of beds.splice(0)) listener.close();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

async function listening(answer: Answer = echo, limits: Partial<Listener> = {}): Promise<Bed> {
  const clock = new Clock();
  const opened = await openLineListener(limits.at ?? terms.at, { ticker: clock, now: () => clock.now });
  if (!opened.ok) throw new Error(opened.failure.message);
  const bed = new Bed(opened.listener, clock, answer, limits);
  beds.push(bed);
  await bed.serve(bed.revision);
  return bed;
}

class Client {
  text = "";
  /** The server has half-closed, or more. */
  ended = false;
  readonly socket: Socket;
  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    socket.on("end", () => (this.ended = true));
    socket.on("close", () => (this.ended = true));
    socket.on("error", () => undefined);
  }

  async hears(text: string): Promise<void> {
    await eventually(
      () => `the client hears ${JSON.stringify(text)}; it heard ${JSON.stringify(this.text.slice(0, 1000))}`,
      () => this.text === text,
    );
  }

  async isLeft(): Promise<void> {
    await eventually("the connection is closed to the client", () => this.ended);
  }
}

async function clientOf(bed: Bed): Promise<Client> {
  const { url } = bed.listener;
  const options: NetConnectOpts = url.startsWith("unix:")
    ? { path: url.slice("unix:".length), allowHalfOpen: true }
    : { host: new URL(url).hostname.replaceAll(/[[\]]/g, ""), port: Number(new URL(url).port), allowHalfOpen: true };
  const before = bed.listener.connections;
  const socket = connect({ ...options });
  const client = new Client(socket);
  clients.push(client);
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  await eventually("the listener has the client", () => client.ended || client.text !== "" || bed.listener.connections > before);
  return client;
}

async function receiptOf(bed: Bed): Promise<ConnectionReceipt> {
  return await eventually("the receipt is told", () => bed.receipts[0]);
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "urocket-lines-"));
  folders.push(folder);
  return folder;
}

describe("A connection", () => {
  test("gets an answer for each line, in order", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n2\n\n3\n");
    await client.hears("Ok: 1\nOk: 2\nOk: \nOk: 3\n");
    client.socket.write("4\n");
    await client.hears("Ok: 1\nOk: 2\nOk: \nOk: 3\nOk: 4\n");
    expect(bed.revision.opened.length).toBe(1);
    expect(bed.revision.last.head).toMatchObject({ listener: 3, client: "127.0.0.1", timeoutMs: 30_000 });
  });

  test("is on no instance before its first whole line", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("12");
    client.socket.write("3");
    await new Promise((resolve) => client.socket.write("4", resolve));
    expect(bed.revision.opened.length).toBe(0);
    client.socket.write("\n");
    await client.hears("Ok: 1234\n");
  });

  test("hands lines that come at once on at once", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n2\n3");
    await client.hears("Ok: 1\nOk: 2\n");
    expect(bed.revision.last.received).toBe("1\n2\n");
  });

  test("leaves its instance when it has been silent, and comes back with its next line under the same id", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    bed.pass(quietMs + 100);
    expect(bed.revision.last.told).toBe(true);
    client.socket.write("2\n");
    await client.hears("Ok: 1\nOk: 2\n");
    expect(bed.revision.opened.length).toBe(2);
    expect(new Set(bed.revision.opened.map(({ head }) => head.id)).size).toBe(1);
  });

  test("does not leave its instance before slow answers behind one of several lines", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("help\nslow\n");
    await eventually("the lines came", () => bed.revision.opened[0]?.received === "help\nslow\n");
    bed.revision.last.say("one\ntwo\n");
    await client.hears("one\ntwo\n");
    bed.pass(20_000);
    expect(bed.revision.last).toMatchObject({ told: true, resets: [] });
    await new Promise((resolve) => client.socket.write("next\n", resolve));
    bed.revision.last.say("slow\n");
    bed.revision.last.end();
    await eventually("the next line came", () => bed.revision.opened[1]?.received === "next\n");
    await client.hears("one\ntwo\nslow\n");
  });

  test("tells the instance what was passed on to the client", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n22\n");
    await client.hears("Ok: 1\nOk: 22\n");
    expect(bed.revision.last.consumedBytes).toBe(client.text.length);
  });

  test("is told to the log when it is over, and what its function logs under its id", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n22\n");
    await client.hears("Ok: 1\nOk: 22\n");
    bed.revision.last.logs("computed");
    client.socket.end();
    const { connectionId, totalMs, ...receipt } = await receiptOf(bed);
    expect(receipt).toEqual({
      app: "fibber",
      listener: "tcp:1234",
      instance: "instance-1",
      client: "127.0.0.1",
      lines: 2,
      bytesIn: 5,
      bytesOut: 13,
    });
    expect(totalMs).toBe(0);
    expect(bed.output).toEqual([
      {
        requestId: connectionId,
        exchangeId: connectionId,
        app: "fibber",
        operation: "tcp:1234",
        stream: "log",
        level: "info",
        text: "computed",
        cut: false,
      },
    ]);
    expect(bed.listener.connections).toBe(0);
  });

  test("that is aborted by its client is ended on its instance", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    client.socket.resetAndDestroy();
    await eventually("it was ended", () => bed.revision.last.resets.length > 0);
    expect(bed.revision.last.resets).toEqual(["client-left"]);
    expect(await receiptOf(bed)).toMatchObject({ lines: 1, bytesOut: 0 });
  });
});

describe("A client that half-closes", () => {
  test("gets the answers that remain, and that of a line without an end", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.end("1\n2\n3");
    await client.hears("Ok: 1\nOk: 2\nOk: 3\n");
    await client.isLeft();
    expect(bed.revision.last.told).toBe(true);
  });

  test("waits for an answer that comes later", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.end("1\n");
    await eventually("the instance knows that no line follows", () => bed.revision.opened[0]?.told);
    bed.revision.last.say("late\n");
    await client.hears("late\n");
    expect(client.ended).toBe(false);
    bed.revision.last.end();
    await client.isLeft();
    expect((await receiptOf(bed)).detail).toBeUndefined();
  });

  test("is closed though its instance does not say that it was all", async () => {
    const bed = await listening(silence, { timeoutMs: 2_000 });
    const client = await clientOf(bed);
    client.socket.end("1\n");
    await eventually("the instance knows that no line follows", () => bed.revision.opened[0]?.told);
    bed.revision.last.say("late\n");
    await client.hears("late\n");
    bed.pass(1_900);
    expect(client.ended).toBe(false);
    bed.pass(200);
    await client.isLeft();
    expect(bed.revision.last.resets).toEqual(["deadline"]);
  });

  test("without having said anything is closed without an instance", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.end();
    await client.isLeft();
    expect(bed.revision.opened.length).toBe(0);
    expect(await receiptOf(bed)).toMatchObject({ lines: 0, bytesIn: 0, bytesOut: 0 });
  });

  test("while the instance takes nothing is heard when it does", async () => {
    const bed = await listening(echo);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    bed.revision.last.takes = false;
    client.socket.write("2\n");
    await client.hears("Ok: 1\nOk: 2\n");
    client.socket.end("3\n4");
    await new Promise((resolve) => setImmediate(resolve));
    expect(bed.revision.last.received).toBe("1\n2\n");
    bed.revision.last.takesMore();
    await client.hears("Ok: 1\nOk: 2\nOk: 3\nOk: 4\n");
    await client.isLeft();
  });
});

describe("A limit", () => {
  test("of a line ends the connection with a last line, behind the answers of the lines before", async () => {
    const bed = await listening(echo, { lineBytesMax: 64 });
    const client = await clientOf(bed);
    client.socket.write(`1\n2\n${"9".repeat(65)}\n3\n`);
    await client.hears("Ok: 1\nOk: 2\nErr: a line is longer than 64, the limit of a line\n");
    await client.isLeft();
    bed.pass(lingerMs + 100);
    expect(await receiptOf(bed)).toMatchObject({ lines: 2, detail: "a line is longer than 64, the limit of a line" });
  });

  test("of a line is told to a client that goes on sending", async () => {
    const bed = await listening(echo, { lineBytesMax: 65_536 });
    const client = await clientOf(bed);
    client.socket.write("9".repeat(4_000_000));
    await client.hears("Err: a line is longer than 64Ki, the limit of a line\n");
    await client.isLeft();
    bed.pass(lingerMs + 100);
    expect(await receiptOf(bed)).toMatchObject({ lines: 0 });
    expect(bed.revision.opened.length).toBe(0);
  });

  test("of silence ends a connection that says nothing", async () => {
    const bed = await listening(echo, { idleMs: 60_000 });
    const client = await clientOf(bed);
    bed.pass(59_900);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    bed.pass(quietMs + 100);
    await eventually("it has left its instance", () => bed.revision.last.isOver);
    bed.pass(59_900 - quietMs - 100);
    expect(client.ended).toBe(false);
    bed.pass(200);
    await client.hears("Ok: 1\nErr: nothing was said for 1m, the limit of silence\n");
    await client.isLeft();
  });

  test("of silence does not count while a line waits", async () => {
    const bed = await listening(silence, { idleMs: 1_000 });
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    bed.pass(20_000);
    bed.revision.last.say("late\n");
    await client.hears("late\n");
    expect(client.ended).toBe(false);
  });

  test("of a line's time ends the connection and its work, naming the deadline", async () => {
    const bed = await listening(silence, { timeoutMs: 5_000 });
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    bed.pass(5_000);
    expect(bed.revision.last.resets).toEqual([]);
    bed.pass(50);
    expect(bed.revision.last.resets).toEqual(["deadline"]);
    await client.hears("Err: no answer within 5s, the deadline of a line\n");
    await client.isLeft();
    client.socket.end();
    expect((await receiptOf(bed)).detail).toBe("no answer within 5s, the deadline of a line");
  });

  test("of connections refuses the next with a last line, and is told to the log once a second", async () => {
    const bed = await listening(echo, { connectionsMax: 2 });
    const first = await clientOf(bed);
    await clientOf(bed);
    const refusal = "Err: 2 connections are open, the limit of this listener; try again later\n";
    for (let n = 0; n < 3; n++) {
      const refused = await clientOf(bed);
      await refused.hears(refusal);
      await refused.isLeft();
    }
    expect(bed.listener.connections).toBe(2);
    expect(bed.events.map(({ fields }) => fields?.["refused"])).toEqual([1]);
    bed.pass(1_000);
    expect(bed.events.map(({ fields }) => fields?.["refused"])).toEqual([1, 2]);
    expect(bed.events[1]).toMatchObject({
      level: "warn",
      event: "connections-refused",
      message: "The listener tcp:1234 of fibber refused 2 clients: 2 connections were open, its max-connections",
    });
    first.socket.end();
    await eventually("a place is free", () => bed.listener.connections === 1);
    const next = await clientOf(bed);
    next.socket.write("1\n");
    await next.hears("Ok: 1\n");
    expect(bed.receipts.length).toBe(1);
  });

  test("of how long a client may keep a connection that was closed to it is held", async () => {
    const bed = await listening(echo, { connectionsMax: 1 });
    const client = await clientOf(bed);
    bed.pass(300_000);
    await client.isLeft();
    expect(bed.listener.connections).toBe(1);
    bed.pass(lingerMs + 100);
    await eventually("the connection is gone", () => bed.listener.connections === 0);
  });
});

describe("What goes wrong", () => {
  test("with an instance is told by a last line", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    bed.revision.last.fails("the function's instance ended:\nkilled");
    await client.hears("Err: the function's instance ended: killed\n");
    await client.isLeft();
  });

  test("before there is an instance is told too, and what its owner can do to the log alone", async () => {
    const bed = await listening();
    bed.revision.none = true;
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Err: no instance could be started\n");
    client.socket.end();
    expect((await receiptOf(bed)).detail).toBe("no instance could be started: look at /x");
  });

  test("an instance may end a connection by itself", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    bed.revision.last.end();
    await client.isLeft();
    expect(client.text).toBe("Ok: 1\n");
  });
});

describe("Back-pressure", () => {
  test("a client that never reads stops its own lines and answers, and is left after the idle time", async () => {
    const line = "x".repeat(1_000);
    const bed = await listening(echo, { idleMs: 10_000 });
    const client = await clientOf(bed);
    client.socket.pause();
    let written = 0;
    let blocked = false;
    client.socket.on("drain", () => (blocked = false));
    const write = (): void => {
      while (!blocked && written < 64_000_000) {
        blocked = !client.socket.write(`${`${line}\n`.repeat(256)}`);
        written += 256 * (line.length + 1);
      }
    };
    // More than all buffers between the two hold: it stops when the listener does not read any more.
    let seen = -1;
    let unchanged = 0;
    await eventually("nothing moves any more", async () => {
      write();
      const now = client.socket.bytesWritten - client.socket.writableLength;
      unchanged = now === seen ? unchanged + 1 : 0;
      seen = now;
      return unchanged > 20;
    });
    expect(blocked).toBe(true);
    const { received, consumedBytes } = bed.revision.last;
    expect(received.length).toBeLessThan(32_000_000);
    expect(consumedBytes).toBeLessThan(32_000_000);
    // No line is overdue: it is the client that does not take the answers.
    bed.pass(9_000);
    expect(bed.receipts).toEqual([]);
    bed.pass(2_000);
    expect((await receiptOf(bed)).detail).toBe("the client took no answer for 10s");
  });

  test("a client that reads late gets every answer", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.pause();
    const lines = Array.from({ length: 200_000 }, (_, n) => `${n}\n`).join("");
    client.socket.end(lines);
    await eventually("the listener waits for the client", () => (bed.revision.opened[0]?.received.length ?? 0) > 100_000);
    client.socket.resume();
    await client.isLeft();
    expect(client.text === lines.replaceAll(/^/gm, "Ok: ").slice(0, -"Ok: ".length)).toBe(true);
  });

  test("an instance that takes no more lines stops the client", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    bed.revision.last.takes = false;
    client.socket.write("2\n");
    await eventually("the second came", () => bed.revision.last.received === "1\n2\n");
    client.socket.write("3\n");
    await new Promise((resolve) => client.socket.write("4\n", resolve));
    expect(bed.revision.last.received).toBe("1\n2\n");
    bed.revision.last.takesMore();
    await eventually("the rest came", () => bed.revision.last.received === "1\n2\n3\n4\n");
  });
});

test("1 000 connections with 100 pipelined lines each get every answer, in order", async () => {
  const bed = await listening();
  const numbers = Array.from({ length: 1_000 }, (_, n) => n);
  const everyone = await Promise.all(numbers.map(() => clientOf(bed)));
  everyone.forEach(({ socket }, n) => socket.end(Array.from({ length: 100 }, (_, line) => `${n}.${line}\n`).join("")));
  await Promise.all(everyone.map((client) => client.isLeft()));
  everyone.forEach(({ text }, n) => expect(text).toBe(Array.from({ length: 100 }, (_, line) => `Ok: ${n}.${line}\n`).join("")));
  await eventually("all are over", () => bed.receipts.length === 1_000);
}, 30_000);

describe("Another revision", () => {
  test("answers the next line of an open connection", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    client.socket.write("1\n2");
    await client.hears("Ok: 1\n");
    const next = new Revision((line) => `New: ${line}`);
    await bed.serve(next);
    client.socket.write("2\n");
    await client.hears("Ok: 1\nNew: 22\n");
    expect(bed.revision.last.told).toBe(true);
    expect(next.last.head.id).toBe(bed.revision.last.head.id);
  });

  test("waits for the answers of the earlier one, and takes what came meanwhile", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    const next = new Revision(echo);
    let handedOver = false;
    const serving = bed.serve(next).then(() => (handedOver = true));
    client.socket.write("2\n");
    await new Promise<void>((resolve) => client.socket.end("3", () => resolve()));
    expect(handedOver).toBe(false);
    bed.revision.last.say("first\n");
    bed.revision.last.end();
    await serving;
    await client.hears("first\nOk: 2\nOk: 3\n");
    await client.isLeft();
    expect(bed.revision.last.received).toBe("1\n");
  });

  test("brings its own limits", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    await bed.serve(new Revision(echo), { lineBytesMax: 4 });
    client.socket.write("12345\n");
    await client.hears("Err: a line is longer than 4, the limit of a line\n");
  });
});

describe("Draining", () => {
  test("closes silent connections, answers what was said, and accepts nobody", async () => {
    const bed = await listening(silence);
    const silent = await clientOf(bed);
    const halfway = await clientOf(bed);
    const waiting = await clientOf(bed);
    waiting.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    await new Promise((resolve) => halfway.socket.write("12", resolve));
    // What one connection has sent has come when the next has been heard.
    const after = await clientOf(bed);
    after.socket.write("x\n");
    await eventually("the line came", () => bed.revision.opened[1]?.received === "x\n");
    after.socket.destroy();
    bed.revision.opened[1]?.end();
    await eventually("it is gone", () => bed.listener.connections === 3);
    let drained = false;
    const draining = bed.listener.drain().then(() => (drained = true));
    await silent.isLeft();
    expect(silent.text).toBe("");
    await halfway.hears("Err: the service stops\n");
    silent.socket.destroy();
    halfway.socket.destroy();
    expect(await clientOf(bed).catch((error: Error) => error)).toMatchObject({ code: "ECONNREFUSED" });
    expect(drained).toBe(false);
    bed.revision.opened[0]?.say("last\n");
    bed.revision.opened[0]?.end();
    await waiting.hears("last\n");
    await waiting.isLeft();
    waiting.socket.destroy();
    await draining;
    expect(bed.listener.connections).toBe(0);
  });

  test("does not wait for silent clients to close their side", async () => {
    const bed = await listening();
    const client = await clientOf(bed);
    await bed.listener.drain();
    await client.isLeft();
    expect(bed.receipts).toMatchObject([{ lines: 0, detail: "the host or its listener stopped" }]);
  });

  test("is cut short by closing, with a last line where an answer was due", async () => {
    const bed = await listening(silence);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await eventually("the line came", () => bed.revision.opened[0]?.received === "1\n");
    const draining = bed.listener.drain();
    bed.listener.close();
    await draining;
    await client.hears("Err: the service stops\n");
    await client.isLeft();
    expect(bed.revision.last.resets).toEqual(["shutdown"]);
    expect(bed.receipts.length).toBe(1);
    expect(bed.clock.ticked.size).toBe(0);
  });

  test("leaves the clock alone when nobody is connected", async () => {
    const bed = await listening();
    expect(bed.clock.ticked.size).toBe(0);
    const client = await clientOf(bed);
    expect(bed.clock.ticked.size).toBe(1);
    client.socket.end();
    await eventually("it is gone", () => bed.listener.connections === 0);
    bed.pass(50);
    expect(bed.clock.ticked.size).toBe(0);
  });
});

describe("Addresses", () => {
  test("IPv6", async () => {
    const bed = await listening(echo, { at: { kind: "tcp", address: "::1", port: 0 } });
    expect(bed.listener.url).toMatch(/^tcp:\/\/\[::1\]:\d+$/);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    expect(bed.revision.last.head.client).toBe("::1");
  });

  test("an IPv4 client of an IPv6 listener is told as IPv4", async () => {
    const bed = await listening(echo, { at: { kind: "tcp", address: "::", port: 0 } });
    const socket = connect({ host: "127.0.0.1", port: Number(new URL(bed.listener.url).port) });
    const client = new Client(socket);
    clients.push(client);
    socket.write("1\n");
    await client.hears("Ok: 1\n");
    expect(bed.revision.last.head.client).toBe("127.0.0.1");
  });

  test("a unix socket is its owner's alone, and gone afterwards", async () => {
    const path = join(temporaryFolder(), "fib.sock");
    const bed = await listening(echo, { at: { kind: "unix", path } });
    expect(bed.listener.url).toBe(`unix:${path}`);
    expect(lstatSync(path).mode & 0o777).toBe(0o600);
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
    expect(bed.revision.last.head.client).toBeUndefined();
    bed.listener.close();
    expect(existsSync(path)).toBe(false);
  });

  test("a unix socket that a dead process left is replaced", async () => {
    const path = join(temporaryFolder(), "fib.sock");
    const script = `Bun.listen({ unix: ${JSON.stringify(path)}, socket: { data() {} } }); process.kill(process.pid, "SIGKILL")`;
    await Bun.spawn([process.execPath, "-e", script]).exited;
    expect(lstatSync(path).isSocket()).toBe(true);
    const bed = await listening(echo, { at: { kind: "unix", path } });
    const client = await clientOf(bed);
    client.socket.write("1\n");
    await client.hears("Ok: 1\n");
  });

  test("a unix socket that another one has taken over is left alone", async () => {
    const path = join(temporaryFolder(), "fib.sock");
    const bed = await listening(echo, { at: { kind: "unix", path } });
    rmSync(path);
    writeFileSync(path, "another's");
    bed.listener.close();
    expect(existsSync(path)).toBe(true);
  });

  const noTicker = { ticker: { add: () => undefined, remove: () => undefined } };

  test("one that is in use is refused with its name and what to do", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const bound = server.address();
    const port = typeof bound === "object" ? (bound?.port ?? 0) : 0;
    const opened = await openLineListener({ kind: "tcp", address: "127.0.0.1", port }, noTicker);
    server.close();
    expect(opened).toEqual({
      ok: false,
      failure: {
        message: `Cannot listen on tcp 127.0.0.1:${port}: it is in use`,
        hint: `Choose another port in the service file's listeners, or see who has it: ss -ltnp "sport = :${port}"`,
      },
    });
  });

  test("one that the machine does not have is refused", async () => {
    const opened = await openLineListener({ kind: "tcp", address: "192.0.2.1", port: 0 }, noTicker);
    expect(opened).toMatchObject({
      ok: false,
      failure: { message: "Cannot listen on tcp 192.0.2.1:0: this machine does not have the address" },
    });
  });

  test.each(["a live socket", "a file", "a missing folder", "a long path"])("a unix path is refused for %s", async (fault) => {
    const folder = temporaryFolder();
    const path = join(folder, fault === "a missing folder" ? "no/fib.sock" : fault === "a long path" ? "x".repeat(108) : "fib.sock");
    if (fault === "a file") writeFileSync(path, "mine");
    if (fault === "a live socket") await listening(echo, { at: { kind: "unix", path } });
    const opened = await openLineListener({ kind: "unix", path }, noTicker);
    const why: Record<string, RegExp> = {
      "a live socket": /it is in use by a running process$/,
      "a file": /a file that is not a socket is there$/,
      "a missing folder": /fib\.sock: /,
      "a long path": /its path has \d+ bytes, the system takes 107$/,
    };
    if (opened.ok) throw new Error("It was opened");
    expect(opened.failure.message).toMatch(why[fault] ?? /^$/);
    expect(opened.failure.message).toStartWith(`Cannot listen on unix ${path}: `);
    expect(opened.failure.hint).not.toBe("");
  });
});

/**
 * What a server's memory is while many connections to it are open and ask nothing. Each has asked once, so that it is a kept
 * connection and not one that is still expected to speak; or has an answer that goes on, and is silent.
 */
import { memoryOf, processTree } from "../process/proc-stat.ts";
import { untilAnswered, type Question, type ServerSystem } from "./server.ts";

export interface MemoryFigures {
  readonly rssBytes: number;
  readonly pssBytes: number;
}

export interface IdleConnections {
  readonly system: string;
  readonly connections: number;
  /** Of what accepts the connections (urocket's host without its instances, a proxy with its workers), before any of them. */
  readonly before: MemoryFigures;
  readonly during: MemoryFigures;
  /** Connections that were refused, answered wrongly, or closed by the server while they were idle. */
  readonly faults: readonly string[];
}

/** Opened at a time; a listen queue holds that many. */
const waveConnections = 200;
const settleMs = 1_000;
const patienceMs = 20_000;

interface Waiting {
  answer: string;
  done: (right: boolean) => void;
}

/** What each connection asks for, and what has come when it is answered. */
export interface Held {
  readonly path: string;
  readonly answer: string;
}

/** @param held default: the question and its whole answer. */
export async function measureIdleConnections(
  system: ServerSystem,
  connections: number,
  question: Question,
  held: Held = { path: question.path, answer: `\r\n\r\n${question.body}` },
): Promise<IdleConnections> {
  const server = await system.server();
  await untilAnswered(system.name, server, question);
  const [first] = server.processes.map(({ pid }) => pid);
  const roots = first === undefined ? [] : [first];
  const gateway = system.kind === "subject" ? roots : processTree(roots).map(({ pid }) => pid);
  const before = memoryOf(gateway);
  const crowd = new Crowd(server.port, held);
  try {
    for (let open = 0; open < connections; open += waveConnections) await crowd.add(Math.min(waveConnections, connections - open));
    await Bun.sleep(settleMs);
    return { system: system.name, connections, before, during: memoryOf(gateway), faults: crowd.faults() };
  } finally {
    crowd.leave();
  }
}

/** The connections. */
class Crowd {
  readonly #sockets: Bun.Socket<Waiting>[] = [];
  readonly #port: number;
  readonly #held: Held;
  #refused = 0;
  #wrong = 0;
  #closed = 0;
  #leaving = false;

  constructor(port: number, held: Held) {
    this.#port = port;
    this.#held = held;
  }

  async add(count: number): Promise<void> {
    await Promise.all(Array.from({ length: count }, () => this.#connect()));
  }

  async #connect(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const { path, answer } = this.#held;
    try {
      const socket = await Bun.connect<Waiting>({
        hostname: "127.0.0.1",
        port: this.#port,
        data: { answer: "", done: resolve },
        socket: {
          data(each, chunk) {
            each.data.answer += chunk.toString("latin1");
            if (each.data.answer.includes(answer)) each.data.done(each.data.answer.startsWith("HTTP/1.1 200"));
          },
          close: () => {
            resolve(false);
            if (!this.#leaving) this.#closed++;
          },
        },
      });
      this.#sockets.push(socket);
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${this.#port}\r\n\r\n`);
    } catch {
      this.#refused++;
      return;
    }
    const patience = setTimeout(() => resolve(false), patienceMs);
    if (!(await promise)) this.#wrong++;
    clearTimeout(patience);
  }

  faults(): readonly string[] {
    const counted: readonly (readonly [number, string])[] = [
      [this.#refused, "connections refused (does 'ulimit -n' allow 12 000 files?)"],
      [this.#wrong, "connections not answered rightly"],
      [this.#closed, "connections closed by the server"],
    ];
    return counted.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  }

  leave(): void {
    this.#leaving = true;
    for (const socket of this.#sockets) socket.terminate();
  }
}

/**
 * One look at a daemon, by the address that others reach it at: whether its health path answers 2xx; or, where it has none, its
 * port takes connections, and if that is not to be trusted, whether it says anything at all. A connection of our own and eight
 * lines of HTTP: `fetch` would be loaded for it alone, and a cold start waits for it.
 */
import type { Socket } from "bun";
import { formatDuration } from "../core/units.ts";
import { codeOf } from "../core/system-error.ts";
import type { Look } from "./service-health.ts";

export interface LookedAt {
  readonly host: string;
  readonly port: number;
  /** Absent: that the port takes connections is enough. */
  readonly path?: string | undefined;
  /** Without a path: it has to say something, whatever it is. */
  readonly isDoubted?: boolean;
  readonly timeoutMs: number;
}

/** An answer's status line stands within so many characters; what comes beyond is not kept. */
const answerLengthMax = 16 * 1024;
/** After the status line the rest of the answer is read, so that the daemon is not cut off; up to so many bytes. */
const restBytesMax = 256 * 1024;

/** Looks once. Never rejects. */
export function lookAt(at: LookedAt): Promise<Look> {
  return new Promise((resolve) => new Looking(at, resolve).begin());
}

class Looking {
  readonly #at: LookedAt;
  readonly #resolve: (look: Look) => void;
  #socket: Socket<undefined> | undefined;
  #answer = "";
  #bytes = 0;
  #found = false;
  #over = false;
  readonly #timer: ReturnType<typeof setTimeout>;

  constructor(at: LookedAt, resolve: (look: Look) => void) {
    this.#at = at;
    this.#resolve = resolve;
    this.#timer = setTimeout(() => this.#late(), at.timeoutMs);
  }

  get #asks(): boolean {
    return this.#at.path !== undefined || this.#at.isDoubted === true;
  }

  /** RFC 9110 §9.3.7: OPTIONS * asks for nothing but an answer. */
  get #question(): string {
    return this.#at.path === undefined ? "OPTIONS *" : `GET ${this.#at.path}`;
  }

  begin(): void {
    const { host, port } = this.#at;
    // A refused connection is told twice: by the event, and by the promise.
    Bun.connect({
      hostname: host,
      port,
      socket: {
        open: (socket) => this.#opened(socket),
        data: (_, chunk) => this.#received(chunk),
        close: () => this.#closed(),
        error: () => this.#closed(),
        connectError: (_, error) => this.#refused(error),
      },
    }).catch((error: unknown) => this.#refused(error));
  }

  #opened(socket: Socket<undefined>): void {
    if (this.#over) return void socket.terminate();
    this.#socket = socket;
    const { port } = this.#at;
    if (!this.#asks) return this.#tell({ well: true });
    socket.write(
      `${this.#question} HTTP/1.1\r\nHost: localhost:${port}\r\nUser-Agent: urocket-health\r\nAccept: */*\r\nConnection: close\r\n\r\n`,
    );
  }

  #received(chunk: Buffer): void {
    this.#bytes += chunk.byteLength;
    if (this.#bytes > restBytesMax) return this.#end();
    if (this.#found) return;
    if (this.#at.path === undefined) return this.#tell({ well: true });
    this.#answer += chunk.toString("latin1", 0, answerLengthMax - this.#answer.length);
    const status = finalStatus(this.#answer);
    if (status === "more" && this.#answer.length < answerLengthMax) return;
    this.#tell(typeof status === "number" ? this.#judge(status) : this.#not("got an answer that is not HTTP/1"));
  }

  #judge(status: number): Look {
    return status >= 200 && status < 300 ? { well: true } : this.#not(`answered ${status}`);
  }

  #refused(error: unknown): void {
    const { host, port } = this.#at;
    const code = codeOf(error);
    this.#tell(
      code === undefined || code === "ECONNREFUSED"
        ? { well: false, detail: `nothing listens on ${authority(host, port)}` }
        : { well: false, detail: `${authority(host, port)} takes no connection (${code})` },
    );
  }

  #closed(): void {
    // Whoever closes it lives.
    this.#tell(this.#at.path === undefined ? { well: true } : this.#not("got no answer: the connection was closed"));
    this.#end();
  }

  #late(): void {
    // Whoever kept this process busy has kept what came from being read, too: it is read first.
    if (this.#found) return this.#end();
    setTimeout(() => {
      this.#tell(this.#not(`got no answer within ${formatDuration(this.#at.timeoutMs)}`));
      this.#end();
    }, 1);
  }

  #not(what: string): Look {
    return { well: false, detail: this.#asks ? `${this.#question} ${what}` : `connecting ${what}` };
  }

  #tell(look: Look): void {
    if (this.#found) return;
    this.#found = true;
    this.#answer = "";
    this.#resolve(look);
    // Its answer is read to its end; a connection that has served is closed.
    if (!this.#asks || this.#socket === undefined) this.#end();
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    if (!this.#asks) this.#socket?.end();
    else this.#socket?.terminate();
  }
}

/** The status of an answer, behind interim ones (RFC 9110 §15.2). */
function finalStatus(answer: string): number | "more" | "nonsense" {
  const line = /^HTTP\/1\.[01] (\d{3})[ \r\n]/.exec(answer);
  if (line === null) return answer.includes("\n") || !"HTTP/1.".startsWith(answer.slice(0, 7)) ? "nonsense" : "more";
  const status = Number(line[1]);
  if (status >= 200) return status;
  const end = answer.indexOf("\r\n\r\n");
  return end < 0 ? "more" : finalStatus(answer.slice(end + 4));
}

/** "127.0.0.1:8080", "[::1]:8080". */
export function authority(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

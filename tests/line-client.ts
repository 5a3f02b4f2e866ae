/** A client of a line listener, over TCP or a unix socket, that remembers what it hears. */
import { connect } from "node:net";
import { eventually } from "./eventually.ts";

export interface LineClient extends AsyncDisposable {
  /** What came so far. */
  readonly text: string;
  write(text: string): void;
  /** Writes, and closes its side. */
  end(text?: string): void;
  /** Waits for lines of answers, and returns as many from the beginning. */
  lines(count: number): Promise<string[]>;
  /** Waits until the host has closed, and returns all that came. */
  all(): Promise<string>;
}

/** Where a host listens for lines, as it tells on stderr: "tcp://127.0.0.1:40123", "unix:/run/fib.sock". */
export function lineAddresses(host: { stderr(): string }): readonly string[] {
  return [...host.stderr().matchAll(/tcp:\/\/\S+:\d+|unix:\/[^\s,]+/g)].map(([address]) => address);
}

/** @param address as `lineAddresses` has it. */
export async function lineClient(address: string | undefined): Promise<LineClient> {
  if (address === undefined) throw new Error("The host tells of no listener");
  const socket = connect({ ...target(address), allowHalfOpen: true });
  let text = "";
  let ended = false;
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("end", () => (ended = true));
  socket.on("close", () => (ended = true));
  await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
  socket.on("error", () => (ended = true));
  return {
    get text() {
      return text;
    },
    write: (written) => void socket.write(written),
    end: (written = "") => void socket.end(written),
    lines: async (count) => {
      const whole = (): string[] => text.split("\n").slice(0, -1);
      await eventually(
        () => `${count} lines of answers; there are ${JSON.stringify(text.slice(0, 500))}`,
        () => whole().length >= count,
      );
      return whole().slice(0, count);
    },
    all: async () => {
      await eventually(
        () => `the host closes; it said ${JSON.stringify(text.slice(0, 500))}`,
        () => ended,
      );
      return text;
    },
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((resolve) => socket.once("close", resolve));
      if (socket.closed) return;
      socket.destroy();
      await closed;
    },
  };
}

function target(address: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (address.startsWith("unix:")) return { path: address.slice("unix:".length) };
  const { hostname, port } = new URL(address);
  return { host: hostname.replaceAll(/[[\]]/g, ""), port: Number(port) };
}

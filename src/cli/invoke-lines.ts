/** Lines of `urocket invoke` to a listener: what is sent, then everything that comes back until the other side is done. */
import { createReadStream } from "node:fs";
import { connect } from "node:net";
import type { RequestData } from "./invoke-http.ts";
import type { Stream } from "./terminal.ts";

/** @param url "tcp://127.0.0.1:1234", "tcp://[::1]:1234" or "unix:/run/fib.sock". @throws when it cannot be reached. */
export function sendLines(url: string, data: RequestData, out: Stream, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    // Half-closed when all is sent, so that what is still to be answered is.
    const socket = connect({ ...addressOf(url), allowHalfOpen: true });
    const stop = (): void => void socket.destroy(new Error("it was interrupted"));
    signal.addEventListener("abort", stop, { once: true });
    socket.on("error", reject);
    socket.on("data", (bytes: Uint8Array) => {
      socket.pause();
      void out.write(bytes).then(() => socket.resume());
    });
    socket.on("end", () => {
      signal.removeEventListener("abort", stop);
      socket.destroy();
      resolve();
    });
    if (data.from === "text") return void socket.end(data.text.endsWith("\n") ? data.text : `${data.text}\n`);
    const source = data.from === "stdin" ? process.stdin : createReadStream(data.path);
    source.on("error", reject);
    source.pipe(socket);
  });
}

function addressOf(url: string): { readonly path: string } | { readonly host: string; readonly port: number } {
  if (url.startsWith("unix:")) return { path: url.slice("unix:".length) };
  const { hostname, port } = new URL(url);
  return { host: hostname.replace(/^\[(.*)\]$/, "$1"), port: Number(port) };
}

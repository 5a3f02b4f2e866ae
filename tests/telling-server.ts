/** A TCP server in a namespace that tells every client from where it came, and ends the connection. */
import type { OwnNetwork } from "./own-network.ts";

const source = `
const [hostname, port] = process.argv.slice(-2);
Bun.listen({ hostname, port: Number(port), socket: { open(socket) { socket.end(socket.remoteAddress + "\\n"); }, data() {} } });
console.log("listening");
`;

/** Listens when this resolves. */
export async function tellingServer(where: Pick<OwnNetwork, "command">, address: string, port: number): Promise<AsyncDisposable> {
  const child = Bun.spawn(where.command([process.execPath, "--no-env-file", "-e", source, address, String(port)]), {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const reader = child.stdout.getReader();
  const { done } = await reader.read();
  if (done) throw new Error(`Nothing listens on ${address}:${port}: ${await new Response(child.stderr).text()}`);
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

/**
 * As whom the server sees somebody from here; undefined: it was not reached.
 * @param patienceS for what is refused without a word; a refusal that is told is known at once, and an answer comes, however
 *   slow the machine.
 */
export function askServer(
  where: Pick<OwnNetwork, "attempt">,
  address: string | undefined,
  port: number,
  patienceS = 20,
): string | undefined {
  if (address === undefined) throw new Error("There is no address to ask");
  const { ok, stdout } = where.attempt(["nc", `-w${patienceS}`, address, String(port)]);
  return ok && stdout !== "" ? stdout.trim() : undefined;
}

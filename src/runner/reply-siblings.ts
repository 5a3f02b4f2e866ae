/**
 * Finds the instance that awaits a reply. With several instances of an app the configured socket path belongs to the
 * first; a program of another one that was told that path by its author, and not by UROCKET_SOCKET, ends up there.
 */
import { readdir } from "node:fs/promises";
import { join } from "node:path";

/** More instances are not asked. */
const askedMax = 64;
const answerMsMax = 2000;

/** The reply socket below `folder` (`<instance>/reply.sock`) that awaits a reply at a path, other than one's own. */
export async function findSibling(folder: string, own: string, path: string): Promise<string | undefined> {
  const names = await readdir(folder).catch((): string[] => []);
  const sockets = names.map((name) => join(folder, name, "reply.sock")).filter((socket) => socket !== own);
  const answers = await Promise.all(sockets.slice(0, askedMax).map(async (socket) => ((await awaits(socket, path)) ? socket : undefined)));
  return answers.find((socket) => socket !== undefined);
}

async function awaits(socket: string, path: string): Promise<boolean> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const answer = Promise.withResolvers<boolean>();
  try {
    const connection = await Bun.connect({
      unix: socket,
      socket: {
        open: (it) => void it.write(`GET ${path} HTTP/1.1\r\nHost: urocket\r\nConnection: close\r\n\r\n`),
        data: (_, chunk) => answer.resolve(chunk.toString("latin1", 0, 12) === "HTTP/1.1 204"),
        close: () => answer.resolve(false),
        error: () => answer.resolve(false),
      },
    });
    timer = setTimeout(() => answer.resolve(false), answerMsMax);
    const awaited = await answer.promise;
    connection.terminate();
    return awaited;
  } catch {
    // Left behind by an instance that is gone.
    return false;
  } finally {
    clearTimeout(timer);
  }
}

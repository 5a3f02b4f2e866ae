import { expect, test } from "bun:test";
import type { Socket } from "bun";
import { lookAt } from "./service-look.ts";

/** Looks at a server that does this with a connection's first bytes. */
async function look(
  answer: (socket: Socket<undefined>) => void,
  path: string | undefined = "/healthz",
  timeoutMs = 5000,
  isDoubted = false,
): Promise<unknown> {
  const closed = Promise.withResolvers<string>();
  let asked = "";
  using listener = Bun.listen<undefined>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data: (socket, chunk) => {
        asked += chunk.toString();
        if (asked.endsWith("\r\n\r\n")) answer(socket);
      },
      close: () => closed.resolve(asked),
    },
  });
  const found = await lookAt({ host: "127.0.0.1", port: listener.port, path: isDoubted ? undefined : path, timeoutMs, isDoubted });
  return { found, asked: await closed.promise };
}

const whole = (status: string): ((socket: Socket<undefined>) => void) => {
  return (socket) => void socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok`);
};

test("2xx is well, and asked for as HTTP/1.1 asks", async () => {
  const { found, asked } = (await look(whole("204 No Content"))) as { found: unknown; asked: string };
  expect(found).toEqual({ well: true });
  expect(asked).toMatch(/^GET \/healthz HTTP\/1\.1\r\nHost: localhost:\d+\r\n(?:[\w-]+: .*\r\n)*Connection: close\r\n\r\n$/);
});

test.each([["301 Moved"], ["404 Not Found"], ["500 Internal Server Error"], ["503"]])("%s is not", async (status) => {
  expect(await look(whole(status))).toMatchObject({ found: { well: false, detail: `GET /healthz answered ${status.slice(0, 3)}` } });
});

test("an interim answer is not the answer", async () => {
  const interim = (socket: Socket<undefined>): void => {
    socket.end("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  };
  expect(await look(interim)).toMatchObject({ found: { well: true } });
});

test("what is not HTTP is told, and so is a connection that is closed in its place", async () => {
  expect(await look((socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"))).toMatchObject({
    found: { well: false, detail: "GET /healthz got an answer that is not HTTP/1" },
  });
  expect(await look((socket) => void socket.end())).toMatchObject({
    found: { well: false, detail: "GET /healthz got no answer: the connection was closed" },
  });
});

const doubting = async (answer: (socket: Socket<undefined>) => void, timeoutMs?: number): Promise<unknown> =>
  await look(answer, undefined, timeoutMs, true);

test("of a daemon without a health path whose connections are doubted anything at all is a sign of life", async () => {
  const { found, asked } = (await doubting(whole("501 Not Implemented"))) as { found: unknown; asked: string };
  expect(found).toEqual({ well: true });
  expect(asked).toMatch(/^OPTIONS \* HTTP\/1\.1\r\nHost: localhost:\d+\r\n/);
  expect(await doubting((socket) => void socket.end())).toMatchObject({ found: { well: true } });
  expect(await doubting((socket) => void socket.end("SSH-2.0-OpenSSH_9.2\r\n"))).toMatchObject({ found: { well: true } });
  expect(await doubting(() => {}, 30)).toMatchObject({ found: { well: false, detail: "OPTIONS * got no answer within 30ms" } });
});

test("silence is told when its time is up", async () => {
  expect(await look(() => {}, "/slow", 30)).toMatchObject({ found: { well: false, detail: "GET /slow got no answer within 30ms" } });
});

test("an answer without end is read for a while, and no longer", async () => {
  const flood = (socket: Socket<undefined>): void => {
    socket.write("HTTP/1.1 200 OK\r\n\r\n");
    const more = Buffer.alloc(64 * 1024);
    const write = (): void => {
      while (socket.write(more) === more.length);
    };
    socket.reload({ socket: { data: () => {}, drain: write, close: () => ended.resolve() } });
    write();
  };
  const ended = Promise.withResolvers<void>();
  using listener = Bun.listen<undefined>({ hostname: "127.0.0.1", port: 0, socket: { data: flood } });
  expect(await lookAt({ host: "127.0.0.1", port: listener.port, path: "/", timeoutMs: 60_000 })).toEqual({ well: true });
  await ended.promise;
});

test("without a path a port that takes connections is well, and one that does not is told", async () => {
  const listener = Bun.listen<undefined>({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
  const at = { host: "127.0.0.1", port: listener.port, timeoutMs: 5000 };
  expect(await lookAt(at)).toEqual({ well: true });
  listener.stop(true);
  expect(await lookAt(at)).toEqual({ well: false, detail: `nothing listens on 127.0.0.1:${at.port}` });
});

/** Whole process trees end: at the deadline, when the client leaves, however they resist. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { gone, isAlive, residentBytes } from "./process-tree.ts";
import { connectRaw } from "./raw-http.ts";
import { servedApp } from "./served-app.ts";

/** Writes the pids of a family that hangs to a file: a program, a child, and a grandchild that left the session. */
const family = (file: string, deaf: boolean): string => `#!/bin/sh
${deaf ? "trap '' TERM" : ""}
setsid sh -c 'echo $$ >>${file}; ${deaf ? 'trap "" TERM;' : ""} sleep 1000; sleep 1000' &
sh -c 'echo $$ >>${file}; sleep 1000; sleep 1000' &
echo $$ >>${file}
sleep 1000
sleep 1000
`;

const serviceFile = `
name: deadlines
timeout: 20s
paths:
  /hang:
    get:
      inject: { cmd: ./hang.sh, timeout: 2s }
  /deaf:
    get:
      inject: { cmd: ./deaf.sh, timeout: 2s }
  /left:
    get:
      inject: { cmd: ./left.sh }
    post:
      inject: { cmd: ./left.sh }
  /body:
    post:
      inject: { cmd: ./quick.sh, timeout: 500ms }
  /unread:
    get:
      inject: { cmd: ./endless.sh, timeout: 2s }
  /leftover:
    get:
      inject: { cmd: ./leftover.sh, timeout: 4s }
`;

describe("deadlines", () => {
  const host = servedApp(() =>
    appOf({
      "urocket-service.yaml": serviceFile,
      "hang.sh": family("hang.pids", false),
      "deaf.sh": family("deaf.pids", true),
      "left.sh": family("left.pids", false),
      "quick.sh": "#!/bin/sh\necho quick | urocket reply --type text/plain\n",
      "endless.sh": "#!/bin/sh\necho $$ >endless.pids\nurocket reply --type application/octet-stream </dev/zero\n",
      "leftover.sh": "#!/bin/sh\nsetsid sleep 1000 &\necho $! >leftover.pids\necho done | urocket reply --type text/plain\n",
    }),
  );

  const pidsIn = async (file: string, count: number): Promise<number[]> =>
    await eventually(`${file} names ${count} processes`, async () => {
      if (!(await Bun.file(host.app.path(file)).exists())) return undefined;
      const pids = host.app.read(file).trim().split("\n").filter(Boolean).map(Number);
      return pids.length >= count && pids;
    });

  test("a program that hangs, its child and a grandchild in another session are gone after the deadline, and the client got 504", async () => {
    const response = await fetch(`${host.url}/hang`);
    expect(response.status).toBe(504);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    const { detail } = (await response.json()) as { detail: string };
    expect(detail).toContain("2000 ms");
    const pids = await pidsIn("hang.pids", 3);
    await gone(pids);
    const line = await host.exchange(response.headers.get("x-request-id") ?? "");
    expect(line).toMatchObject({ status: 504 });
  });

  test("a family that ignores TERM is killed when the grace is over, not before", async () => {
    const response = await fetch(`${host.url}/deaf`);
    expect(response.status).toBe(504);
    const pids = await pidsIn("deaf.pids", 3);
    // The client does not wait for it: the program ignores TERM, and has two seconds.
    expect(isAlive(pids[2] ?? 0)).toBeTrue();
    await gone(pids);
  });

  test.each(["GET", "POST"])("a client that leaves ends its program, whole (%s)", async (method) => {
    host.app.write("left.pids", "");
    const connection = await connectRaw(host.port);
    const requestId = `left-${method}-${crypto.randomUUID()}`;
    connection.send(
      `${method} /left HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: ${requestId}\r\n${method === "POST" ? "Content-Length: 2\r\nContent-Type: application/json\r\n" : ""}\r\n${method === "POST" ? "{}" : ""}`,
    );
    const pids = await pidsIn("left.pids", 3);
    connection.drop();
    await gone(pids);
    expect(await host.exchange(requestId)).toMatchObject({ status: 499 });
  });

  test("what a program leaves running in the background may run until the deadline, no longer", async () => {
    const response = await fetch(`${host.url}/leftover`);
    expect(await response.text()).toBe("done\n");
    const pids = await pidsIn("leftover.pids", 1);
    expect(pids.every(isAlive)).toBeTrue();
    await gone(pids);
  });

  test("a body that never comes whole is a 504 at the deadline, and no program was started for it", async () => {
    using connection = await connectRaw(host.port);
    connection.send("POST /body HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: half-a-body\r\nContent-Length: 10\r\n\r\nhalf");
    const response = await connection.response();
    expect(response?.status).toBe(504);
    expect(response?.body).toContain("500 ms");
    const line = await host.exchange("half-a-body");
    expect(line).toMatchObject({ status: 504 });
    expect(line["spawnMs"]).toBeUndefined();
  });

  test("a client that does not read costs no memory, and only until the deadline", async () => {
    const before = host.processes().map(({ pid }) => ({ pid, bytes: residentBytes(pid) }));
    using connection = await connectRaw(host.port);
    connection.pause();
    connection.send("GET /unread HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: unread-reply\r\n\r\n");
    const pids = await pidsIn("endless.pids", 1);
    await gone(pids);
    for (const { pid, bytes } of before) expect(residentBytes(pid) - bytes).toBeLessThan(40 * 1024 * 1024);
    expect((await host.exchange("unread-reply"))["error"]).toBe("deadline");
  });
});

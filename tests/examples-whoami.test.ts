/** The whoami example: alone, as its README shows, and three of it in turn, as processes and as containers. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { root } from "./app-folder.ts";
import { processesMarked } from "./process-tree.ts";
import { type Serving, serve } from "./serving.ts";
import { requireContainers } from "./system-tools.ts";
import { eventually } from "./eventually.ts";

const folder = join(root, "examples/whoami");
const daemon = [process.execPath, join(folder, "server.ts")];

const get = async (url: string): Promise<string> => (await fetch(url)).text();

/** One after the other. */
async function ids(host: Serving, requests: number): Promise<string[]> {
  const found: string[] = [];
  for (let request = 0; request < requests; request++) found.push(await get(`${host.url}/`));
  return found;
}

async function expectTurns(host: Serving): Promise<string[]> {
  const found = await ids(host, 9);
  const three = found.slice(0, 3);
  expect(new Set(three).size).toBe(3);
  for (const id of three) expect(id).toMatch(/^My id is [0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  expect(found).toEqual([...three, ...three, ...three]);
  return three;
}

describe("the daemon alone", () => {
  test("says who it is on the address and port that it is given, until TERM", async () => {
    const child = Bun.spawn([...daemon, "-a", "0.0.0.0", "-p", "0"], { stdout: "pipe", stderr: "inherit" });
    const { value } = await child.stdout.getReader().read();
    const [, id, port] = /^(\S+) listens on http:\/\/0\.0\.0\.0:(\d+)\n$/.exec(new TextDecoder().decode(value)) ?? [];
    const url = `http://127.0.0.1:${port}`;
    expect(await get(url)).toBe(`My id is ${id}`);
    expect(await get(`${url}/users`)).toBe("You're my first user");
    expect((await fetch(`${url}/nobody`)).status).toBe(404);
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
    child.kill("SIGTERM");
    expect(await child.exited).toBe(0);
  });

  test("tells its options, refuses others, and a port that is taken", () => {
    const run = (...args: readonly string[]): { readonly exitCode: number; readonly text: string } => {
      const { exitCode, stdout, stderr } = Bun.spawnSync([...daemon, ...args]);
      return { exitCode, text: `${stdout.toString()}${stderr.toString()}` };
    };
    expect(run("--help")).toEqual({ exitCode: 0, text: expect.stringContaining("-a, --address <address>") });
    expect(run("--port", "99999")).toEqual({ exitCode: 2, text: expect.stringContaining('The port "99999" is no number from 0 to 65535') });
    expect(run("--nonsense").exitCode).toBe(2);
    using taken = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => {} } });
    expect(run("-p", `${taken.port}`)).toEqual({ exitCode: 1, text: expect.stringContaining(`Cannot listen on 127.0.0.1:${taken.port}`) });
  });
});

describe("three of them", () => {
  test("answer strictly in turn; one that is killed is replaced, and nobody notices", async () => {
    await using host = await serve(folder);
    const before = await expectTurns(host);
    const users = await fetch(`${host.url}/users`);
    expect(await users.text()).toBe("You're my first user");
    expect((await fetch(`${host.url}/nobody`)).status).toBe(404);

    const one = host.processes().find(({ command }) => command.includes("server.ts"));
    if (one === undefined) throw new Error("no daemon is found");
    process.kill(one.pid, "SIGKILL");
    await eventually("there are three again, one of them new", async () => {
      const now = new Set(await ids(host, 3));
      expect([...now].every((id) => id.startsWith("My id is "))).toBe(true);
      return now.size === 3 && !before.every((id) => now.has(id));
    });
    await expectTurns(host);
    await host.logged("the instance's end", ({ event }) => event === "instance-died");
  });

  requireContainers()("are told of the same way in containers, all on one port", async () => {
    await using host = await serve(folder, { flags: ["--sandbox", "container"] });
    await expectTurns(host);
    const listening = (): string[] => host.log.flatMap(({ text }) => / listens on (\S+)$/.exec(String(text))?.[1] ?? []);
    await eventually("all three say where they listen", () => listening().length === 3);
    expect(listening()).toEqual(["http://0.0.0.0:8080", "http://0.0.0.0:8080", "http://0.0.0.0:8080"]);
    expect(processesMarked([`/urocket-${host.pid}-`]).length).toBeGreaterThanOrEqual(3);
  });
});

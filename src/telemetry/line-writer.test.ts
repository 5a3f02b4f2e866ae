import { afterEach, expect, test } from "bun:test";
import { closeSync, constants, mkdtempSync, openSync, readFileSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineWriter } from "./line-writer.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0).reverse()) cleanup();
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "urocket-lines-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  return folder;
}

const openFds = new Set<number>();

function open(path: string, flags: number | string): number {
  const fd = openSync(path, flags, 0o600);
  openFds.add(fd);
  cleanups.push(() => close(fd));
  return fd;
}

function close(fd: number): void {
  if (openFds.delete(fd)) closeSync(fd);
}

const describeDropped = (count: number): string => `dropped ${count}`;

/** A pipe whose reading end is ours, and which holds 64 KiB. */
function pipe(): { readonly readFd: number; readonly writeFd: number; readonly path: string } {
  const path = join(temporaryFolder(), "pipe");
  expect(Bun.spawnSync(["mkfifo", path]).success).toBe(true);
  const readFd = open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return { readFd, writeFd: open(path, constants.O_WRONLY), path };
}

/** What is in the pipe now. */
function readAvailable(fd: number): string {
  const chunk = Buffer.alloc(1 << 20);
  let text = "";
  for (;;) {
    try {
      const count = readSync(fd, chunk, 0, chunk.length, null);
      if (count === 0) return text;
      text += chunk.toString("latin1", 0, count);
    } catch {
      return text;
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise(setImmediate);
}

test("lines reach a file in order, each with its line end", async () => {
  const path = join(temporaryFolder(), "log");
  const writer = new LineWriter({ fd: open(path, "a"), describeDropped });
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} é€😀`);
  for (const line of lines) writer.append(line);
  await writer.close();
  expect(readFileSync(path, "utf8")).toBe(`${lines.join("\n")}\n`);
});

test("a line longer than a chunk is written whole and in its place", async () => {
  const path = join(temporaryFolder(), "log");
  const writer = new LineWriter({ fd: open(path, "a"), describeDropped });
  const lines = ["before", "€".repeat(100_000), "after"];
  for (const line of lines) writer.append(line);
  await writer.close();
  expect(readFileSync(path, "utf8")).toBe(`${lines.join("\n")}\n`);
});

test("a file is written on from where it is, not from its start", async () => {
  const path = join(temporaryFolder(), "log");
  await Bun.write(path, "kept\n");
  const writer = new LineWriter({ fd: open(path, "a"), describeDropped });
  writer.append("added");
  await writer.close();
  expect(readFileSync(path, "utf8")).toBe("kept\nadded\n");
});

test("few lines are written after the flush time, without being asked", async () => {
  const path = join(temporaryFolder(), "log");
  await using writer = new LineWriter({ fd: open(path, "a"), flushMs: 1, describeDropped });
  writer.append("first");
  await until(() => readFileSync(path, "utf8") === "first\n");
  writer.append("second");
  await until(() => readFileSync(path, "utf8") === "first\nsecond\n");
});

test("a line that came during a write is not left behind", async () => {
  const { readFd, writeFd } = pipe();
  await using writer = new LineWriter({ fd: writeFd, flushMs: 1, describeDropped });
  for (let i = 0; i < 3000; i += 1) writer.append("x".repeat(99));
  writer.append("last");
  let text = "";
  await until(() => (text += readAvailable(readFd)).endsWith("last\n"));
  expect(text).toHaveLength(3000 * 100 + 5);
});

test("a pipe that nobody reads stops neither the event loop nor the thread pool, and memory stays bounded", async () => {
  const { writeFd } = pipe();
  const writer = new LineWriter({ fd: writeFd, waitingBytesMax: 1 << 20, flushMs: 1, describeDropped });
  for (let i = 0; i < 100; i += 1) {
    for (let k = 0; k < 1000; k += 1) writer.append("x".repeat(99));
    await new Promise(setImmediate);
  }
  // 64 KiB are in the pipe and 1 MiB waits; the rest of 10 MB is counted.
  expect(writer.droppedCount).toBeGreaterThan(80_000);
  expect(writer.droppedCount).toBeLessThan(100_000);
  expect(await Bun.file(import.meta.path).text()).toContain("nobody reads");
  await writer.close(10);
});

test("what was dropped is told once the reader goes on, and no line is torn", async () => {
  const { readFd, writeFd } = pipe();
  await using writer = new LineWriter({ fd: writeFd, waitingBytesMax: 200_000, flushMs: 1, describeDropped });
  for (let i = 0; i < 5000; i += 1) writer.append(`${i}`.padStart(99, "."));
  await new Promise(setImmediate);
  const dropped = writer.droppedCount;
  expect(dropped).toBeGreaterThan(2000);
  let text = "";
  await until(() => (text += readAvailable(readFd)).includes("dropped"));
  const lines = text.trimEnd().split("\n");
  expect(lines.at(-1)).toBe(`dropped ${dropped}`);
  expect(lines.slice(0, -1)).toHaveLength(5000 - dropped);
  expect(new Set(lines.slice(0, -1).map((line) => line.length))).toEqual(new Set([99]));
  writer.append("then");
  await until(() => (text += readAvailable(readFd)).endsWith("then\n"));
});

test("a full disk drops lines beyond the bound, and throws nothing", async () => {
  const writer = new LineWriter({ fd: open("/dev/full", "w"), waitingBytesMax: 100_000, flushMs: 1, describeDropped });
  for (let i = 0; i < 2000; i += 1) writer.append("x".repeat(99));
  expect(writer.droppedCount).toBe(1000);
  await writer.close(10);
});

test("lines of low importance leave room for the others", async () => {
  const path = join(temporaryFolder(), "log");
  const writer = new LineWriter({ fd: open(path, "a"), waitingBytesMax: 100_000, describeDropped });
  for (let i = 0; i < 2000; i += 1) writer.append("y".repeat(99), "low");
  expect(writer.droppedCount).toBe(1250);
  for (let i = 0; i < 250; i += 1) writer.append("x".repeat(99));
  expect(writer.droppedCount).toBe(1250);
  writer.append("x".repeat(99));
  expect(writer.droppedCount).toBe(1251);
  await writer.close();
  expect(readFileSync(path, "utf8")).toEndWith(`${"x".repeat(99)}\ndropped 1251\n`);
});

test("a reader that is gone ends the writing quietly", async () => {
  const { readFd, writeFd } = pipe();
  const writer = new LineWriter({ fd: writeFd, waitingBytesMax: 1000, flushMs: 1, describeDropped });
  close(readFd);
  writer.append("nobody");
  await writer.close();
  for (let i = 0; i < 100; i += 1) writer.append("x".repeat(99));
  expect(writer.droppedCount).toBe(0);
});

test("closing waits for a slow reader only as long as it may", async () => {
  const { writeFd } = pipe();
  const writer = new LineWriter({ fd: writeFd, flushMs: 1, describeDropped });
  for (let i = 0; i < 5000; i += 1) writer.append("x".repeat(99));
  await writer.close(5);
  await writer.close();
  writer.append("too late");
  expect(writer.droppedCount).toBe(0);
});

test("a bad descriptor is no error either", async () => {
  const writer = new LineWriter({ fd: 9999, flushMs: 1, describeDropped });
  writer.append("nowhere");
  await writer.close();
  expect(writer.droppedCount).toBe(0);
});

test("a process whose stdout is a socket that nobody reads goes on, and ends when it wants", async () => {
  const folder = temporaryFolder();
  const script = join(folder, "writer.ts");
  await Bun.write(
    script,
    `import { LineWriter } from ${JSON.stringify(join(import.meta.dir, "line-writer.ts"))};
     const writer = new LineWriter({ fd: 1, flushMs: 1, describeDropped: String });
     for (let i = 0; i < 100; i += 1) {
       for (let k = 0; k < 1000; k += 1) writer.append("x".repeat(99));
       await new Promise(setImmediate);
     }
     console.error("alive, dropped " + (writer.droppedCount > 0));
     await writer.close(10);
     process.exit(7);`,
  );
  // Bun reads its own pipes of children eagerly; the socket of a program that sleeps is one that nobody reads.
  const sleeper = Bun.spawn(["sleep", "60"], { stdio: ["ignore", "ignore", "ignore", "socket-fd"] });
  cleanups.push(() => sleeper.kill("SIGKILL"));
  const socket = sleeper.stdio[3];
  if (typeof socket !== "number") throw new Error("no socket");
  const child = Bun.spawn([process.execPath, script], { stdin: "ignore", stdout: socket, stderr: "pipe" });
  const [code, stderr] = await Promise.all([child.exited, child.stderr.text()]);
  expect(stderr).toBe("alive, dropped true\n");
  expect(code).toBe(7);
});

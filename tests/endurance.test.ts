/**
 * Many exchanges: nothing may pile up. What a collector leaves for later makes memory a sawtooth of some ten thousand
 * exchanges, so the least of each process in a stretch of them is compared with its least in a later one.
 */
import { describe, expect } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { openDescriptors, residentBytes } from "./process-tree.ts";
import { type Serving, serve } from "./serving.ts";
import { requireTool } from "./system-tools.ts";

/** Exchanges until pipes, connections and remembered ids have reached what they are kept at. */
const warmUp = 4000;
/** Exchanges in which a process is seen at its least. */
const stretch = 8000;
/** From one stretch's start to the other's. */
const apart = 16_000;
/** A collector may be late once, on a machine that is busy with something else; what piles up does so each time. */
const comparisonsMax = 3;
const exchangesPerLook = 500;

/** What may be lost: half of what a leak of 2 KiB an exchange, or of a descriptor in 200, comes to. */
const bytesPerExchangeMax = 1280;
const exchangesPerDescriptorMin = 400;

/** Replies with the path that it was asked for; small, so that the host is what is tried. */
const program = `
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, getenv("UROCKET_SOCKET"), sizeof address.sun_path - 1);
  int connection = socket(AF_UNIX, SOCK_STREAM, 0);
  if (connect(connection, (struct sockaddr *)&address, sizeof address) != 0) return 1;
  const char *path = getenv("URIPATH");
  char text[2048];
  int length = snprintf(text, sizeof text, "POST %s HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: text/plain\\r\\nContent-Length: %zu\\r\\n\\r\\n%s",
                        getenv("UROCKET_REPLY"), strlen(path), path);
  if (write(connection, text, length) != length) return 1;
  length = read(connection, text, sizeof text - 1);
  return length > 12 && strncmp(text + 9, "200", 3) == 0 ? 0 : 1;
}
`;

async function ask(host: Serving, from: number, to: number): Promise<void> {
  let next = from;
  const askers = Array.from({ length: 16 }, async () => {
    while (next < to) {
      const path = `/n/${next++}`;
      const response = await fetch(host.url + path);
      const text = await response.text();
      if (response.status !== 200 || text !== path) throw new Error(`${path} was answered ${response.status} ${text}`);
    }
  });
  await Promise.all(askers);
}

interface Figures {
  readonly descriptors: number;
  readonly bytes: number;
}

/** Of the host and its runners, by pid, when nothing runs. */
async function figuresOf(host: Serving): Promise<Map<number, Figures>> {
  const processes = await eventually("no program runs and no zombie is left", () => {
    const all = host.processes();
    return all.length === 1 + host.runners().length && all.every(({ state }) => state !== "Z") && all;
  });
  return new Map(processes.map(({ pid }) => [pid, { descriptors: openDescriptors(pid), bytes: residentBytes(pid) }]));
}

/** The least of each process while a stretch is asked for, all together. */
async function leastIn(host: Serving, from: number): Promise<Figures> {
  const least = await figuresOf(host);
  for (let at = from; at < from + stretch; at += exchangesPerLook) {
    await ask(host, at, at + exchangesPerLook);
    for (const [pid, now] of await figuresOf(host)) {
      const before = least.get(pid);
      if (before === undefined) throw new Error(`Process ${pid} took another's place: a runner died`);
      least.set(pid, { descriptors: Math.min(before.descriptors, now.descriptors), bytes: Math.min(before.bytes, now.bytes) });
    }
  }
  const all = [...least.values()];
  return {
    descriptors: all.reduce((sum, { descriptors }) => sum + descriptors, 0),
    bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
  };
}

describe("endurance", () => {
  requireTool("gcc")(
    "tens of thousands of exchanges leave no zombie, no descriptor, and no growth in memory",
    async () => {
      // Pipes are kept for as many programs as once ran together: so few that they do so from the beginning.
      using app = appOf({
        "program.c": program,
        "urocket-service.yaml":
          "name: endurance\nscale: { concurrency: 4, queue: 100 }\npaths:\n  /n/{n}:\n    get: { inject: { cmd: ./program } }\n",
      });
      const made = Bun.spawnSync(["gcc", "-O1", "-o", "program", "program.c"], { cwd: app.folder });
      if (!made.success) throw new Error(`gcc failed: ${made.stderr.toString()}`);
      await using host = await serve(app.folder);
      await ask(host, 0, warmUp);
      let before = await leastIn(host, warmUp);
      let asked = warmUp + stretch;
      const lost = { descriptors: Infinity, bytes: Infinity };
      const holds = (): boolean => lost.descriptors < 1 / exchangesPerDescriptorMin && lost.bytes < bytesPerExchangeMax;
      for (let comparison = 0; comparison < comparisonsMax && !holds(); comparison++) {
        await ask(host, asked, asked + apart - stretch);
        const after = await leastIn(host, asked + apart - stretch);
        asked += apart;
        lost.descriptors = (after.descriptors - before.descriptors) / apart;
        lost.bytes = (after.bytes - before.bytes) / apart;
        before = after;
      }
      expect(lost.descriptors).toBeLessThan(1 / exchangesPerDescriptorMin);
      expect(lost.bytes).toBeLessThan(bytesPerExchangeMax);
      await eventually(
        "all are in the log",
        () => host.log.filter((line) => line["type"] === "exchange" && line["status"] === 200).length === asked,
      );
    },
    240_000,
  );
});

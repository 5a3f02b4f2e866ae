/** Ten thousand exchanges: nothing may pile up. */
import { describe, expect } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { openDescriptors, residentBytes } from "./process-tree.ts";
import { type Serving, serve } from "./serving.ts";
import { requireTool } from "./system-tools.ts";

const mebibyte = 1024 * 1024;

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

/** Of the host and its runners, when nothing runs. */
async function figuresOf(host: Serving): Promise<Figures> {
  const processes = await eventually("no program runs and no zombie is left", () => {
    const all = host.processes();
    return all.length === 1 + host.runners().length && all.every(({ state }) => state !== "Z") && all;
  });
  return {
    descriptors: processes.reduce((sum, { pid }) => sum + openDescriptors(pid), 0),
    bytes: processes.reduce((sum, { pid }) => sum + residentBytes(pid), 0),
  };
}

describe("endurance", () => {
  requireTool("gcc")(
    "ten thousand exchanges leave no zombie, no descriptor, and no growth in memory",
    async () => {
      using app = appOf({
        "program.c": program,
        "urocket-service.yaml": "name: endurance\npaths:\n  /n/{n}:\n    get: { inject: { cmd: ./program } }\n",
      });
      const made = Bun.spawnSync(["gcc", "-O1", "-o", "program", "program.c"], { cwd: app.folder });
      if (!made.success) throw new Error(`gcc failed: ${made.stderr.toString()}`);
      await using host = await serve(app.folder);
      await ask(host, 0, 4000);
      const before = await figuresOf(host);
      await ask(host, 4000, 10_000);
      const after = await figuresOf(host);
      // Pipes that are kept for the next program follow the peak of programs at once; memory what a collector leaves for later.
      expect(after.descriptors).toBeLessThan(before.descriptors + 100);
      expect(after.bytes).toBeLessThan(before.bytes + 48 * mebibyte);
      await eventually(
        "all are in the log",
        () => host.log.filter((line) => line["type"] === "exchange" && line["status"] === 200).length === 10_000,
      );
    },
    120_000,
  );
});

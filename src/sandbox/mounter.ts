/** The host's end of the process that mounts (mounter-main.ts). */
import { fileURLToPath } from "node:url";
import type { MountLine } from "./mounts.ts";
import type { MountAnswer } from "./mounter-main.ts";
import { readPieces } from "./pieces.ts";

const program = fileURLToPath(new URL("mounter-main.ts", import.meta.url));

interface Waiting {
  resolve(): void;
  reject(error: Error): void;
}

export class Mounter {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "ignore">;
  /** In the order in which they were asked for, which is that of the answers. */
  readonly #waiting: Waiting[] = [];
  #ended = false;

  /** @param prefix of its command: what brings it to where it is to mount. */
  constructor(prefix: readonly string[]) {
    this.#child = Bun.spawn({
      cmd: [...prefix, process.execPath, "--no-env-file", "--no-install", "--config=/dev/null", program],
      cwd: "/",
      env: {},
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      detached: true,
    });
    this.#child.unref();
    void readPieces(this.#child.stdout, "\n", (line) => this.#answer(JSON.parse(line) as MountAnswer)).then(() => this.#end());
  }

  /** False: it cannot work here, or was ended. */
  get open(): boolean {
    return !this.#ended;
  }

  /** Mounts in the order given. @throws Error with the kernel's reason, or when it ended. */
  mount(lines: readonly MountLine[]): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error("the process that mounts was ended"));
      this.#waiting.push({ resolve, reject });
      void this.#tell(`${JSON.stringify(lines)}\n`);
    });
  }

  async close(): Promise<void> {
    try {
      await this.#child.stdin.end();
    } catch {
      // It was ended before.
    }
    await this.#child.exited;
  }

  async #tell(text: string): Promise<void> {
    try {
      await this.#child.stdin.write(text);
      await this.#child.stdin.flush();
    } catch {
      this.#end();
    }
  }

  #end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error("the process that mounts was ended"));
  }

  #answer({ error }: MountAnswer): void {
    const waiting = this.#waiting.shift();
    if (error === undefined) waiting?.resolve();
    else waiting?.reject(new Error(error));
  }
}

/**
 * A mount namespace of the host's own (mount_namespaces(7)): what containers are made of is mounted there, and nobody else sees it. A
 * shell holds it. It waits at the end of a pipe whose other end only the host has, so that with the host, however that ends, the
 * namespace and all of its mounts are gone: there is nothing to clean up.
 *
 * Mounts of the machine appear in it too, but never the other way round. Where control groups of both versions are mounted
 * ("hybrid"), those that a runtime would trip over are not there.
 */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { shellWord } from "../core/shell-word.ts";
import { Mounter } from "./mounter.ts";
import type { MountLine } from "./mounts.ts";
import { readPieces } from "./pieces.ts";

/** Reads commands, one a line; answers each with its number, its status and what it wrote, and a NUL. */
const script = `trap '' HUP INT QUIT TERM
while read -r number command; do
  output=$(eval "$command" 2>&1)
  printf '%s %s %s\\0' "$number" $? "$output"
done`;

const path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

export interface MountTools {
  readonly unshare: string;
  readonly nsenter: string;
  readonly mount: string;
  readonly umount: string;
}

interface Waiting {
  resolve(output: string): void;
  reject(error: Error): void;
  readonly command: string;
}

export class MountNamespace {
  readonly #tools: MountTools;
  /** For the lists of mounts that `mount` reads. */
  readonly #folder: string;
  readonly #shell: Bun.Subprocess<"pipe", "pipe", "ignore">;
  readonly #waiting = new Map<number, Waiting>();
  #commands = 0;
  #lists = 0;
  #ended = false;
  #mounter: Mounter | undefined;

  /**
   * Makes one.
   * @param folder that exists, and is the host's alone.
   */
  constructor(tools: MountTools, folder: string) {
    this.#tools = tools;
    this.#folder = folder;
    this.#shell = Bun.spawn({
      cmd: [tools.unshare, "--mount", "--propagation", "slave", "/bin/sh", "-c", script],
      cwd: "/",
      env: { PATH: path },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "ignore",
      detached: true,
      onExit: () => this.#end(),
    });
    this.#shell.unref();
    void readPieces(this.#shell.stdout, "\0", (text) => this.#answer(text)).then(() => this.#end());
  }

  /** False: somebody ended its shell. What runs in it goes on; nothing more can be mounted. */
  get open(): boolean {
    return !this.#ended;
  }

  /** What goes before a command so that it runs in there. */
  get prefix(): readonly string[] {
    return [this.#tools.nsenter, `--mount=/proc/${this.#shell.pid}/ns/mnt`, "--"];
  }

  /**
   * Runs a command of a shell, after those that were asked for before.
   * @throws Error with what it wrote, when it fails.
   */
  run(command: string): Promise<string> {
    const number = ++this.#commands;
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Error("the shell that holds the containers' mounts was ended"));
      this.#waiting.set(number, { resolve, reject, command });
      void this.#tell(`${number} ${command}\n`);
    });
  }

  /**
   * Keeps a process ready that binds in a fraction of the time, if this machine lets it. It enters by the shell's number, so
   * the shell has to have answered: before, it is still in the machine's own namespace.
   */
  async hurry(): Promise<void> {
    if (this.#mounter !== undefined) return;
    try {
      await this.run(":");
      this.#mounter ??= new Mounter(this.prefix);
    } catch {
      // It was ended: nothing is mounted any more, in a hurry or not.
    }
  }

  /** Binds in the order given, at once if it can. @throws Error with the kernel's or mount(8)'s words. */
  async bind(lines: readonly MountLine[]): Promise<void> {
    const mounter = this.#mounter;
    try {
      if (mounter?.open === true) return await mounter.mount(lines);
    } catch (error) {
      // It said why; or it ended, with its work undone.
      if (mounter?.open === true) throw error;
    }
    await this.mount(lines);
  }

  /** Mounts in the order given, with one process. @throws Error with what mount(8) says. */
  async mount(lines: readonly MountLine[]): Promise<void> {
    if (lines.length === 0) return;
    const list = join(this.#folder, `mounts-${this.#lists++}`);
    writeFileSync(list, lines.map(fstabLine).join(""));
    try {
      await this.run([this.#tools.mount, "--all", "--fstab", list].map(shellWord).join(" "));
    } finally {
      rmSync(list, { force: true });
    }
  }

  /** Takes away what is mounted at these places, whether or not something is. */
  async unmount(targets: readonly string[]): Promise<void> {
    if (targets.length === 0) return;
    await this.run(`${[this.#tools.umount, "-l", ...targets].map(shellWord).join(" ")} || true`);
  }

  /** Gives it up: containers that still run keep what they have. */
  async close(): Promise<void> {
    try {
      await this.#shell.stdin.end();
    } catch {
      // It was ended before.
    }
    await Promise.all([this.#shell.exited, this.#mounter?.close()]);
  }

  async #tell(text: string): Promise<void> {
    try {
      await this.#shell.stdin.write(text);
      await this.#shell.stdin.flush();
    } catch {
      this.#end();
    }
  }

  #answer(text: string): void {
    const [number = "", status = ""] = text.split(" ", 2);
    const output = text.slice(number.length + status.length + 2).trim();
    const waiting = this.#waiting.get(Number(number));
    if (waiting === undefined) return;
    this.#waiting.delete(Number(number));
    if (status === "0") waiting.resolve(output);
    else waiting.reject(new Error(output === "" ? `"${waiting.command}" ended with status ${status}` : output));
  }

  #end(): void {
    this.#ended = true;
    for (const waiting of this.#waiting.values()) waiting.reject(new Error("the shell that holds the containers' mounts was ended"));
    this.#waiting.clear();
  }
}

function fstabLine({ source, target, type, options }: MountLine): string {
  return `${[source, target, type, options.join(",")].map(escaped).join(" ")} 0 0\n`;
}

/** fstab(5): spaces, tabs and the like in their octal form. */
function escaped(word: string): string {
  return word.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

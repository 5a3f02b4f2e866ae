/**
 * Continues stopped runners when the host dies. A process that is stopped does not notice that its link is gone: without this, a
 * host that is killed would leave its frozen runners for ever. A shell waits at the end of a pipe whose other end only the
 * host holds; when that closes, it continues them, and each ends by itself. It is there while something is frozen and not else.
 */

/** Has pids as arguments, and reads more until the pipe ends. "q": nothing is frozen any more. Signals that reach the host's whole group are the host's. */
const script = `trap '' HUP INT QUIT TERM
pids=$*
while read -r pid; do
  [ "$pid" = q ] && exit
  pids="$pids $pid"
done
kill -CONT $pids`;

/** Shells that end by themselves or by somebody's hand are replaced so many times in a row; then with the next process that is stopped. */
const replacementsMax = 3;

/** Pids that one shell is told; then another takes over with those that are frozen. To continue a process twice does no harm. */
const toldMax = 1_000;

interface Shell {
  /** Resolves when it was handed to the kernel, or cannot be. */
  tell(line: string): Promise<void>;
}

export class FrozenGuard {
  readonly #frozen = new Set<number>();
  #shell: Shell | undefined;
  #told = 0;
  #replacements = 0;

  /** To be called before a process is stopped. Resolves when the shell has been told; nobody has to wait for that. */
  async watch(pid: number): Promise<void> {
    this.#frozen.add(pid);
    this.#replacements = 0;
    if (this.#shell === undefined || ++this.#told > toldMax) this.#replaceShell();
    else await this.#shell.tell(`${pid}`);
  }

  /** The process was continued, or is gone. */
  release(pid: number): void {
    if (!this.#frozen.delete(pid) || this.#frozen.size > 0) return;
    void this.#shell?.tell("q");
    this.#shell = undefined;
  }

  #replaceShell(): void {
    const old = this.#shell;
    const shell = startShell([...this.#frozen], () => {
      if (this.#shell !== shell) return;
      this.#shell = undefined;
      // What it was told in its last moment it may not have read.
      if (this.#frozen.size > 0 && this.#replacements++ < replacementsMax) this.#replaceShell();
    });
    this.#shell = shell;
    this.#told = this.#frozen.size;
    void old?.tell("q");
  }
}

/** Undefined: there is no shell here. What is left behind then is ended by the next host's start. */
function startShell(pids: readonly number[], ended: () => void): Shell | undefined {
  try {
    const child = Bun.spawn({
      cmd: ["/bin/sh", "-c", script, "sh", ...pids.map(String)],
      cwd: "/",
      env: {},
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
      onExit: ended,
    });
    child.unref();
    return {
      tell: async (line) => {
        try {
          void child.stdin.write(`${line}\n`);
          await child.stdin.flush();
        } catch {
          // A shell that somebody ended reads no more: another takes its place.
        }
      },
    };
  } catch {
    return undefined;
  }
}

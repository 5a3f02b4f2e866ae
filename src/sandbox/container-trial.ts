/** Containers for tests: what runs in them is a script of the test's, in the place of the runner, and what it says over the link. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NetworkMode } from "../config/app.ts";
import { type ContainerOptions, type ContainerSandbox, openContainers } from "./container.ts";
import type { Confinement, RunnerProcess } from "./sandbox.ts";

/** A folder that the users of containers may pass through. */
export function makeFolder(): string {
  const folder = mkdtempSync("/tmp/urocket-c-");
  chmodSync(folder, 0o755);
  return folder;
}

/** What an app with these files asks for. */
export function confinementOf(folder: string, more: Partial<Confinement> = {}): Confinement {
  return {
    name: "trial",
    folder,
    limits: {},
    content: { programs: true, functions: false, service: false },
    network: "open" satisfies NetworkMode,
    ...more,
  };
}

/** Says what it finds, and hears when to go on: `say(value)`, `await heard()`. */
const telling = `
import { connect } from "node:net";
const link = connect(process.env.UROCKET_LINK);
const say = (value) => link.write(JSON.stringify(value) + "\\n");
const words = [];
let waiting;
link.on("data", (data) => { words.push(String(data)); waiting?.(); });
link.on("close", () => process.exit(0));
const heard = async () => { while (words.length === 0) await new Promise((resolve) => (waiting = resolve)); return words.shift(); };
`;

export interface TrialContainer {
  readonly process: RunnerProcess;
  /** What its script said first, or next. Rejects when it ended before. */
  said(): Promise<unknown>;
  /** What its script \`heard\`. */
  tell(word: string): void;
  readonly instance: string;
}

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Lines of JSON as they come, for whoever waits for the next. */
class Lines {
  readonly #said: unknown[] = [];
  #text = "";
  #ended: string | undefined;
  #waiting: Waiting | undefined;

  add(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf("\n"); end >= 0; end = this.#text.indexOf("\n")) {
      this.#said.push(JSON.parse(this.#text.slice(0, end)));
      this.#text = this.#text.slice(end + 1);
    }
    if (this.#said.length > 0) this.#settle((waiting) => waiting.resolve(this.#said.shift()));
  }

  end(reason: string): void {
    this.#ended = reason;
    this.#settle((waiting) => waiting.reject(new Error(reason)));
  }

  next(): Promise<unknown> {
    if (this.#said.length > 0) return Promise.resolve(this.#said.shift());
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }));
  }

  #settle(settle: (waiting: Waiting) => void): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    if (waiting !== undefined) settle(waiting);
  }
}

export class ContainerTrial implements AsyncDisposable {
  readonly folder = makeFolder();
  readonly app = join(this.folder, "app");
  readonly #options: Omit<ContainerOptions, "folder">;
  readonly #containers: { readonly process: RunnerProcess; readonly close: () => void }[] = [];
  #sandbox: Promise<ContainerSandbox> | undefined;

  constructor(options: Omit<ContainerOptions, "folder"> = {}) {
    this.#options = options;
    mkdirSync(this.app);
  }

  open(): Promise<ContainerSandbox> {
    return (this.#sandbox ??= openContainers({ folder: this.folder, ...this.#options }));
  }

  /** Starts a script in one, confined to an app from its start; without: as one that waits for whichever may come. */
  async start(script: string, app?: Confinement): Promise<TrialContainer> {
    const sandbox = await this.open();
    const instance = crypto.randomUUID();
    const place = join(this.folder, instance.slice(-12));
    mkdirSync(place);
    const file = join(place, "script.ts");
    writeFileSync(file, telling + script);
    chmodSync(this.app, 0o755);
    const link = join(place, "link.sock");
    const lines = new Lines();
    const sockets: Bun.Socket[] = [];
    const listener = Bun.listen({
      unix: link,
      socket: { open: (socket) => void sockets.push(socket), data: (_socket, data) => lines.add(data.toString()) },
    });
    chmodSync(link, 0o600);
    const process = sandbox.start({ instance, file, functions: false, link, token: "secret", app });
    void process.ended.then((how) => lines.end(`it ${how}: ${process.lastWords()}`));
    this.#containers.push({ process, close: () => listener.stop(true) });
    return {
      process,
      instance,
      said: () => lines.next(),
      tell: (word) => void sockets[0]?.write(word),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process } of this.#containers) process.kill();
    for (const { process, close } of this.#containers) {
      await process.ended;
      await process.remove();
      close();
    }
    await (await this.#sandbox?.catch(() => undefined))?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/**
 * The line listeners of all apps that are served. One stays open while the app's revisions change behind it; a new revision's are
 * opened before it serves, so that an address that cannot be had keeps the old one.
 */
import type { Listener } from "../config/app.ts";
import { Ticker } from "../core/ticker.ts";
import { type LineListener, openLineListener } from "../gateway/line-listener.ts";
import type { Log } from "../telemetry/receipt.ts";
import type { Revision } from "./revision.ts";
import { ListenFailure } from "./start-failure.ts";

interface Held {
  /** The app's folder: its name may change. */
  readonly folder: string;
  readonly name: string;
  readonly listener: LineListener;
  /** Who answers it; absent: nobody yet. */
  revision?: Revision;
}

export class Listeners {
  readonly #log: Log;
  readonly #ticker = new Ticker();
  readonly #held = new Map<string, Held>();
  readonly #leaving = new Set<LineListener>();
  #closed = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** An app's, with the addresses that they really have. @param folder the app's. */
  of(folder: string): readonly { readonly name: string; readonly url: string }[] {
    return [...this.#held.values()].filter((held) => held.folder === folder).map(({ name, listener }) => ({ name, url: listener.url }));
  }

  /**
   * Has each listener of these revisions answered by its revision, opens what is new and lets go of what no revision has any more.
   * Connections move to the new revision with their next line; the old one's traffic counts those that still wait for it.
   * @throws ListenFailure when one cannot be opened, Error when they were closed meanwhile; then nothing has changed.
   */
  async apply(revisions: readonly Revision[]): Promise<void> {
    const wanted = new Map(
      revisions.flatMap((revision) =>
        revision.loaded.app.listeners.map((listener, position) => [keyOf(revision, listener), { revision, listener, position }] as const),
      ),
    );
    await this.#open(
      [...wanted].filter(([key]) => !this.#held.has(key)).map(([key, { revision, listener }]) => ({ key, revision, listener })),
    );
    for (const [key, held] of this.#held) {
      const answered = wanted.get(key);
      if (answered === undefined) this.#letGo(key, held);
      else this.#serve(held, answered.revision, answered.listener, answered.position);
    }
  }

  /** Accepts nobody, and closes each connection when its lines are answered. Resolves when none is left. */
  async drain(): Promise<void> {
    await Promise.all([...this.#all()].map((listener) => listener.drain()));
  }

  /** Closes every connection at once. */
  close(): void {
    this.#closed = true;
    for (const listener of this.#all()) listener.close();
    this.#held.clear();
    this.#leaving.clear();
    this.#ticker.close();
  }

  #all(): readonly LineListener[] {
    return [...[...this.#held.values()].map(({ listener }) => listener), ...this.#leaving];
  }

  async #open(missing: readonly { readonly key: string; readonly revision: Revision; readonly listener: Listener }[]): Promise<void> {
    const opened = new Map<string, Held>();
    const failed = (error: Error): Error => {
      for (const { listener } of opened.values()) listener.close();
      return error;
    };
    for (const { key, revision, listener } of missing) {
      const made = await openLineListener(listener.at, { ticker: this.#ticker });
      if (!made.ok) throw failed(new ListenFailure({ kind: "address-in-use", ...made.failure }));
      opened.set(key, { folder: revision.loaded.app.folder, name: listener.name, listener: made.listener });
      if (this.#closed) throw failed(new Error("The host is stopping"));
    }
    for (const [key, held] of opened) this.#held.set(key, held);
  }

  #serve(held: Held, revision: Revision, listener: Listener, position: number): void {
    if (held.revision === revision) return;
    const { served } = revision;
    const moved = held.listener.serve({ app: served.name, listener, position, dispatch: served.dispatch, log: this.#log });
    // The one before is not retired while it has lines to answer.
    countAsTraffic(held.revision, moved);
    held.revision = revision;
  }

  #letGo(key: string, { listener, revision }: Held): void {
    this.#held.delete(key);
    this.#leaving.add(listener);
    const gone = listener.drain().finally(() => this.#leaving.delete(listener));
    countAsTraffic(revision, gone);
  }
}

function countAsTraffic(revision: Revision | undefined, work: Promise<void>): void {
  revision?.served.traffic.entered();
  void work.finally(() => revision?.served.traffic.left());
}

function keyOf(revision: Revision, { name }: Listener): string {
  return `${revision.loaded.app.folder} ${name}`;
}

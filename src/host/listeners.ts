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
  #ending = false;

  constructor(log: Log) {
    this.#log = log;
  }

  /** An app's, with the addresses that they really have. @param folder the app's. */
  of(folder: string): readonly { readonly name: string; readonly url: string }[] {
    return [...this.#held.values()].filter((held) => held.folder === folder).map(({ name, listener }) => ({ name, url: listener.url }));
  }

  /**
   * Opens what these revisions have and nobody had before. Clients are refused until `serve`.
   * @throws ListenFailure when one cannot be opened, Error when all were closed meanwhile; then nothing has changed.
   */
  async open(revisions: readonly Revision[]): Promise<void> {
    const opened = new Map<string, Held>();
    const failed = (error: Error): Error => {
      for (const { listener } of opened.values()) listener.close();
      return error;
    };
    for (const [key, { revision, listener }] of wantedBy(revisions)) {
      if (this.#held.has(key)) continue;
      const made = await openLineListener(listener.at, { ticker: this.#ticker });
      if (!made.ok) throw failed(new ListenFailure({ kind: "address-in-use", ...made.failure }));
      opened.set(key, { folder: revision.loaded.app.folder, name: listener.name, listener: made.listener });
      if (this.#ending) throw failed(new Error("The host is stopping"));
    }
    for (const [key, held] of opened) this.#held.set(key, held);
  }

  /** Closes what was opened and has never been served. */
  giveUp(): void {
    for (const [key, { listener, revision }] of this.#held) {
      if (revision !== undefined) continue;
      this.#held.delete(key);
      listener.close();
    }
  }

  /**
   * Has each listener answered by its revision among these, and lets go of what none of them has any more. Connections move to the
   * new revision with their next line; the old one's traffic counts those that still wait for it.
   * @param revisions whose listeners are open.
   */
  serve(revisions: readonly Revision[]): void {
    const wanted = wantedBy(revisions);
    for (const [key, held] of this.#held) {
      const answered = wanted.get(key);
      if (answered === undefined) this.#letGo(key, held);
      else this.#serve(held, answered);
    }
  }

  /** Accepts nobody, and closes each connection when its lines are answered. Resolves when none is left. */
  async drain(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#all()].map((listener) => listener.drain()));
  }

  /** Closes every connection at once. */
  close(): void {
    this.#ending = true;
    for (const listener of this.#all()) listener.close();
    this.#held.clear();
    this.#leaving.clear();
    this.#ticker.close();
  }

  #all(): readonly LineListener[] {
    return [...[...this.#held.values()].map(({ listener }) => listener), ...this.#leaving];
  }

  #serve(held: Held, { revision, listener, position }: Wanted): void {
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

interface Wanted {
  readonly revision: Revision;
  readonly listener: Listener;
  /** Among its revision's. */
  readonly position: number;
}

/** By what stays the same from one revision of an app to the next. */
function wantedBy(revisions: readonly Revision[]): ReadonlyMap<string, Wanted> {
  const wanted = new Map<string, Wanted>();
  for (const revision of revisions) {
    const { folder, listeners } = revision.loaded.app;
    for (const [position, listener] of listeners.entries()) wanted.set(`${folder} ${listener.name}`, { revision, listener, position });
  }
  return wanted;
}

/** What containers are connected by: a bridge of the host's own, and a network namespace with an address for each instance. */
import type { NetworkMode } from "../config/app.ts";

export interface NetworkSettings {
  /** Of the bridge, and of the nftables table. The first free one of it and its followers is taken: "urocket0", "urocket1", … */
  readonly bridge: string;
  /** CIDR; the bridge has its first address. */
  readonly subnet: string;
  readonly subnet6: string;
}

export interface Network {
  /** A network namespace for one instance. */
  take(mode: NetworkMode): Promise<NetworkSlot>;
  /** Removes bridge, rules and what is left of slots. */
  close(): Promise<void>;
}

export interface NetworkSlot {
  /** Of the namespace, for the OCI runtime: /run/netns/…. */
  readonly path: string;
  /** Its own addresses; absent with "none". */
  readonly address?: string;
  readonly address6?: string;
  /** Lines of its /etc/resolv.conf. */
  readonly resolvConf: string;
  /** Lets it reach, and be reached by, the app's other instances. */
  join(app: string): Promise<void>;
  usage(): { readonly networkBytesIn?: number; readonly networkBytesOut?: number };
  /** To be called when no process of it is left. Never rejects. */
  remove(): Promise<void>;
}

/** Why there is no network, and what to do about it. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

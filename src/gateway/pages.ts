/** Pages that the host itself serves beside its apps: the contracts' documentation, say. Held in memory, answered at once. */
import type { HeaderList } from "./front.ts";

export interface Page {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array;
}

/** @param path as sent, without the query. Undefined: it is not one of these pages, but an app's. */
export type Pages = (path: string) => Page | undefined;

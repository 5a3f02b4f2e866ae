/** The limits of an instance that can end what runs in it. A CPU limit only slows. */
export type LimitName = "memory" | "pids";

/** From a peer that is not trusted. */
export function limitNameOf(value: unknown): LimitName | undefined {
  return value === "memory" || value === "pids" ? value : undefined;
}

/** How a daemon is, by what looks at it have found: pure, so that what is told to the host can be tested without one. */

/** What one look found. */
export type Look = { readonly well: true } | { readonly well: false; readonly detail: string };

export type ServiceHealth = { readonly at: "well"; /** In a row. */ readonly failures: number } | { readonly at: "failing" };

export const wellAtFirst = { at: "well", failures: 0 } as ServiceHealth;

/** @param failuresMax so many failures in a row, and it is failing. */
export function afterLook(health: ServiceHealth, look: Look, failuresMax: number): ServiceHealth {
  if (look.well) return wellAtFirst;
  if (health.at === "failing" || health.failures + 1 >= failuresMax) return { at: "failing" };
  return { at: "well", failures: health.failures + 1 };
}

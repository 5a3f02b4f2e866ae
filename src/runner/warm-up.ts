/**
 * What a spare runner does while nobody needs it: it loads and exercises what serves functions, so that the app that takes
 * it pays for its own code alone.
 */
export async function warmUp(): Promise<void> {
  await import("./functions.ts");
}

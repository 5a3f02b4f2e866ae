/**
 * The process that bundles: reads `request.json` of its working directory and leaves `outcome.json` there. The host starts it, bounds
 * its time, and reads what it left.
 */
import { readFile, writeFile } from "node:fs/promises";
import { bundle, type BundleRequest } from "./bundle.ts";
import { stampOf, type Stamp } from "./stamps.ts";
import type { Bundled } from "./bundle.ts";

export type BundlerOutcome = Bundled & { readonly stamps?: readonly Stamp[] };

/** Sources that keep changing while they are bundled are taken as they are after so many times. */
const attemptsMax = 3;

const request = JSON.parse(await readFile("request.json", "utf8")) as BundleRequest;
await writeFile("outcome.json", JSON.stringify(await bundleStill(request)));

/** A file that was written while it was bundled may be in the bundle as it was before. */
async function bundleStill(asked: BundleRequest): Promise<BundlerOutcome> {
  for (let attempt = 1; ; attempt++) {
    const startedAt = Date.now();
    const bundled = await bundle(asked);
    if (!bundled.ok) return bundled;
    const stamps = await Promise.all(bundled.inputs.map(stampOf));
    if (attempt === attemptsMax || stamps.every(({ modifiedMs }) => modifiedMs < startedAt)) return { ...bundled, stamps };
  }
}

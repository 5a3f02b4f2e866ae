/**
 * The process that bundles: reads `request.json` of its working directory and leaves `outcome.json` there. The host starts it, bounds
 * its time, and reads what it left.
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle, type Bundled, type BundleRequest } from "./bundle.ts";
import { contentHash, stampOf, type Stamp } from "./stamps.ts";

/** A bundle and where it is to lie. */
export type BundlerRequest = Omit<BundleRequest, "lies"> & {
  /** Goes into the hash, beside the sources and the runtime's version. */
  readonly format: number;
  /** The folder that holds builds, each named by its hash. */
  readonly builds: string;
};

export type BundlerOutcome =
  | (Extract<Bundled, { ok: true }> & { readonly stamps: readonly Stamp[]; readonly hash: string })
  | Extract<Bundled, { ok: false }>;

/** Sources that keep changing while they are bundled are taken as they are after so many times. */
const attemptsMax = 3;

const request = JSON.parse(await readFile("request.json", "utf8")) as BundlerRequest;
await writeFile("outcome.json", JSON.stringify(await bundleNamed(request)));

/** The paths of files beside a bundle are known when its hash is: such a bundle is made twice. */
async function bundleNamed(asked: BundlerRequest): Promise<BundlerOutcome> {
  const first = await bundleStill(asked);
  if (!first.ok || !first.assets) return first;
  return await bundleStill({ ...asked, lies: join(asked.builds, first.hash) });
}

/** A file that was written while it was bundled may be in the bundle as it was before. */
async function bundleStill(asked: BundlerRequest & Pick<BundleRequest, "lies">): Promise<BundlerOutcome> {
  for (let attempt = 1; ; attempt++) {
    const startedAt = Date.now();
    const bundled = await bundle(asked);
    if (!bundled.ok) return bundled;
    const stamps = await Promise.all(bundled.inputs.map(stampOf));
    const hash = contentHash(JSON.stringify([asked.format, Bun.revision, asked.files, stamps.map((stamp) => [stamp.file, stamp.hash])]));
    if (attempt === attemptsMax || stamps.every(({ modifiedMs }) => modifiedMs < startedAt)) return { ...bundled, stamps, hash };
  }
}

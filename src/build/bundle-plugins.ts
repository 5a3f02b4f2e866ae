/** What the bundler does not do by itself. */
import { readFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { BunPlugin } from "bun";

/** `import … from "urocket"` means this urocket, whatever the app has installed: runner and SDK are of one version. */
export function ownPackage(files: Readonly<Record<string, string>>): BunPlugin {
  return {
    name: "own package",
    setup(build) {
      build.onResolve({ filter: /^urocket(\/|$)/ }, ({ path }) => {
        const file = files[path];
        return file === undefined ? undefined : { path: file };
      });
    },
  };
}

const sources = /\.[cm]?[jt]sx?$/;
const scheme = "urocket-import-meta";
/** The bundler takes two modules of one path for the same, whatever their namespaces. */
const suffix = "#import.meta";

/**
 * `import.meta` as it was before bundling, by a module of its own for each file. The stand-in's name is as long as what it stands
 * for and its import is at the end, so that every line and column stays.
 * @param entry is no file.
 */
export const importMeta = (entry: string): BunPlugin => ({
  name: "import.meta",
  setup(build) {
    build.onLoad({ filter: sources }, async ({ path, loader }) => {
      if (path === entry) return undefined;
      const text = await readFile(path, "utf8");
      if (!/\bimport\.meta\b/.test(text)) return undefined;
      return { contents: `${text.replaceAll(/\bimport\.meta\b/g, "import_meta")}\nimport import_meta from "${scheme}:${path}";`, loader };
    });
    build.onResolve({ filter: new RegExp(`^${scheme}:`) }, ({ path }) => ({
      path: `${path.slice(scheme.length + 1)}${suffix}`,
      namespace: scheme,
    }));
    build.onLoad({ filter: /./, namespace: scheme }, ({ path }) => ({ contents: metaOf(path.slice(0, -suffix.length)), loader: "js" }));
  },
});

/** Whether something among a bundle's inputs is such a module, and no file. */
export const isStandIn = (path: string): boolean => path.endsWith(suffix);

function metaOf(path: string): string {
  const known = {
    url: pathToFileURL(path).href,
    path,
    filename: path,
    dir: dirname(path),
    dirname: dirname(path),
    file: basename(path),
    main: false,
  };
  return `import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
const resolveSync = (name, from = ${JSON.stringify(join(dirname(path), "/"))}) => Bun.resolveSync(name, from);
const resolve = (name) => { const found = resolveSync(name); return found.startsWith("/") ? pathToFileURL(found).href : found; };
export default { ...${JSON.stringify(known)}, env: process.env, require: createRequire(${JSON.stringify(path)}), resolve, resolveSync };`;
}

/**
 * Writes `types/`: the declarations of what authors import. Their own compiler options would judge our sources; declarations are
 * taken as they are. `--check` says whether they are up to date.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dir, "..");
const committed = join(root, "types");

if (import.meta.main) {
  const stale = await staleDeclarations(process.argv.includes("--check") ? "look" : "write");
  if (stale.length > 0) console.log(stale.map((name) => `types/${name}`).join("\n"));
  if (process.argv.includes("--check") && stale.length > 0) {
    console.error("These declarations are not those of src/sdk. Run: sh bin/bun run scripts/sdk-types.ts");
    process.exitCode = 1;
  }
}

/** Names of the files that were not what they should be; `write` makes them so. */
export async function staleDeclarations(purpose: "look" | "write"): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "urocket-sdk-types-"));
  try {
    await emit(folder);
    const wanted = new Map([...contentsOf(join(folder, "out"))].map(([name, text]) => [name, withResolvableNames(text)]));
    const there = contentsOf(committed);
    const stale = [...new Set([...wanted.keys(), ...there.keys()])].filter((name) => wanted.get(name) !== there.get(name)).sort();
    if (purpose === "write") for (const name of stale) write(name, wanted.get(name));
    return stale;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function write(name: string, text: string | undefined): void {
  if (text === undefined) rmSync(join(committed, name));
  else writeFileSync(join(committed, name), text);
}

async function emit(folder: string): Promise<void> {
  const project = join(folder, "tsconfig.json");
  const files = ["urocket.ts", "testing.ts"].map((name) => join(root, "src/sdk", name));
  const compilerOptions = {
    target: "ESNext",
    lib: ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"],
    module: "NodeNext",
    types: [],
    // Checked with all sources: here Bun's types are missing, which no declaration may name.
    noCheck: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    allowImportingTsExtensions: true,
    declaration: true,
    emitDeclarationOnly: true,
    newLine: "lf",
    rootDir: join(root, "src/sdk"),
    outDir: join(folder, "out"),
  };
  writeFileSync(project, JSON.stringify({ compilerOptions, files }));
  const compiler = Bun.spawn([join(root, "node_modules/.bin/tsc"), "-p", project], { stdout: "pipe", stderr: "inherit" });
  const said = await new Response(compiler.stdout).text();
  if ((await compiler.exited) !== 0) throw new Error(`The declarations cannot be made:\n${said}`);
}

function contentsOf(folder: string): Map<string, string> {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(names.map(({ name }) => [name, readFileSync(join(folder, name), "utf8")]));
}

/** "./reply.ts" is not there beside declarations; "./reply.js" leads to them in every way of resolving. */
function withResolvableNames(text: string): string {
  return text.replace(/(from "\.\/[a-z-]+)\.ts"/g, '$1.js"');
}

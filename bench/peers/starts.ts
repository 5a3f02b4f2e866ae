/** What a cold start is compared with: the same greeting by processes that are started for it and print it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchFolder, buildFolder } from "../measure/build-folder.ts";
import type { Ground } from "../process/ground.ts";

export interface Start {
  readonly name: string;
  readonly argv: readonly string[];
  /** What it prints. */
  readonly prints: string;
}

export const greeting = JSON.stringify({ message: "hello" });

const bun = [process.execPath, "--no-env-file", "--no-install", "--config=/dev/null"];

/** A Bun script that prints the greeting, once prepared. */
export function smallScript(ground: Ground): string {
  return join(ground.folder, "start-small", "small.js");
}

/** Bundles what needs it into the run's folder. @throws when a bundle cannot be made. */
export async function prepareStarts(ground: Ground): Promise<readonly Start[]> {
  const small = writeApp(ground, "small", "functions");
  const schema = writeApp(ground, "schema", "cold-schema");
  const folder = (name: string): string => join(ground.folder, `start-${name}`);
  const bytecode = ["--target=bun", "--format=cjs", "--bytecode"];
  await bundle(small, folder("small"), ["--target=bun"]);
  await bundle(small, folder("small-bytecode"), bytecode);
  await bundle(schema, folder("schema-bundle"), ["--target=bun"]);
  await bundle(schema, folder("schema-bytecode"), bytecode);
  await bundle(schema, folder("schema-node"), ["--target=node", "--format=cjs"]);
  const node = Bun.which("node");
  const started = (name: string, argv: readonly string[]): Start => ({ name, argv, prints: greeting });
  return [
    { name: "static C program", argv: [join(buildFolder, "answer-static")], prints: "hello\n" },
    started("bun, a small function", [...bun, join(folder("small-bytecode"), "small.js")]),
    started("bun, with a schema library, bundled", [...bun, join(folder("schema-bundle"), "schema.js")]),
    started("bun, the same as bytecode", [...bun, join(folder("schema-bytecode"), "schema.js")]),
    ...(node === null ? [] : [started("node, the same bundled", [node, join(folder("schema-node"), "schema.js")])]),
  ];
}

/** A main module that prints what the app's function answers. */
function writeApp(ground: Ground, name: string, app: string): string {
  const file = join(ground.folder, `${name}.ts`);
  const module = join(benchFolder, "apps", app, "functions.ts");
  writeFileSync(file, `import { hello } from ${JSON.stringify(module)};\nprocess.stdout.write(JSON.stringify(hello()));\n`);
  return file;
}

async function bundle(file: string, into: string, form: readonly string[]): Promise<void> {
  mkdirSync(into, { recursive: true });
  const argv = [process.execPath, "build", "--minify", ...form, `--outdir=${into}`, file];
  const child = Bun.spawn(argv, { stdin: "ignore", stdout: "ignore", stderr: "pipe" });
  const [complaint, code] = await Promise.all([child.stderr.text(), child.exited]);
  if (code !== 0) throw new Error(`Cannot bundle ${file}: ${complaint.trim()}`);
}

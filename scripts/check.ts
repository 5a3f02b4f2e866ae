/**
 * `npm run check`: the one gate. Every check in the order that fails fastest; stops at the first that fails.
 * `npm run check -- --fix` formats and applies the linter's safe fixes first.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";

const root = join(import.meta.dir, "..");
const tool = (name: string): string => join(root, "node_modules", ".bin", name);
const bun = [process.execPath, "--no-env-file", "--config=/dev/null"];

interface Check {
  readonly name: string;
  readonly argv: readonly string[];
  /** Prints as it goes, because it takes long. */
  readonly loud?: boolean;
}

const fixes: readonly Check[] = [
  { name: "oxfmt", argv: [tool("oxfmt")] },
  { name: "oxlint --fix", argv: [tool("oxlint"), "--fix"] },
];

const checks: readonly Check[] = [
  { name: "format", argv: [tool("oxfmt"), "--check"] },
  { name: "lint", argv: [tool("oxlint"), "--deny-warnings"] },
  { name: "types", argv: [tool("tsc"), "--noEmit", "-p", root] },
  { name: "architecture", argv: [...bun, "test", "./tests/architecture.test.ts"] },
  ...(existsSync(join(root, "scripts/schema.ts")) ? [{ name: "schema", argv: [...bun, "run", "scripts/schema.ts", "--check"] }] : []),
  { name: "declarations", argv: [...bun, "run", "scripts/sdk-types.ts", "--check"] },
  { name: "dead code", argv: [...bun, tool("knip"), "--no-progress", "--no-config-hints"] },
  { name: "package", argv: [...bun, tool("publint"), "--strict", "--pack", "npm"] },
  { name: "tests", argv: [...bun, "run", "scripts/test.ts"], loud: true },
];

async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<string> {
  return stream === undefined ? "" : await new Response(stream).text();
}

/** Runs one; whether it passed. */
async function run({ name, argv, loud = false }: Check): Promise<boolean> {
  const begin = performance.now();
  const output = loud ? "inherit" : "pipe";
  const child = Bun.spawn([...argv], { cwd: root, stdin: "ignore", stdout: output, stderr: output });
  const text = await Promise.all([child.stdout, child.stderr].map((stream) => readAll(stream)));
  const passed = (await child.exited) === 0;
  if (!passed) console.log(text.join(""));
  console.log(`${passed ? "ok    " : "FAILED"} ${name.padEnd(14)} ${((performance.now() - begin) / 1000).toFixed(1)} s`);
  return passed;
}

for (const check of [...(process.argv.includes("--fix") ? fixes : []), ...checks]) {
  if (!(await run(check))) process.exit(1);
}

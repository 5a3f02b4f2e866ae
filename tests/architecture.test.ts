/**
 * Keeps the folders of src/ apart as ARCHITECTURE.md says: who may import whom, and what each may touch. It reads the
 * source text, so that type-only imports count too and nothing has to be compiled.
 */
import { describe, expect, test } from "bun:test";
import { dirname, join, relative } from "node:path";

const root = join(import.meta.dir, "..");

const others = ["sdk", "core", "config", "contract", "link", "telemetry", "sandbox", "registry", "build", "pool", "gateway", "admin"];

/** Folder → folders that it may import besides itself. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  sdk: [],
  core: [],
  config: ["core"],
  contract: ["core"],
  link: ["core"],
  telemetry: ["core", "config"],
  sandbox: ["core", "config"],
  registry: ["core", "config"],
  build: ["core", "config", "contract"],
  pool: ["core", "config", "link", "sandbox", "telemetry"],
  gateway: ["core", "config", "contract", "telemetry"],
  runner: ["core", "link", "sdk", "sandbox"],
  admin: ["core", "config", "contract"],
  host: others,
  cli: ["core", "config", "contract", "telemetry", "admin", "host"],
};

/** What the code of a file may hold only in some places. A place is a folder of src/ or a file in it. */
const reserved: readonly { readonly what: string; readonly pattern: RegExp; readonly places: readonly string[] }[] = [
  {
    what: "prints",
    pattern: /\bconsole\.|\bprocess\.(stdout|stderr)\b|\bBun\.(stdout|stderr)\b/,
    places: ["cli", "runner/main.ts", "runner/author-process.ts"],
  },
  { what: "ends the process", pattern: /\bprocess\.(exit|abort|reallyExit)\b|\bprocess\.exitCode\s*=/, places: ["cli", "runner/main.ts"] },
  {
    what: "reads the environment",
    pattern: /\bprocess\.env\b|\bBun\.env\b/,
    places: ["config", "cli", "runner/main.ts", "runner/author-process.ts", "build/bundle.ts", "build/bundle-plugins.ts"],
  },
  { what: "reads the arguments", pattern: /\bprocess\.argv\b|\bBun\.argv\b/, places: ["cli"] },
  { what: "touches the kernel's control files", pattern: /["'`]\/(proc|sys)\b/, places: ["sandbox"] },
  {
    what: "starts a process",
    pattern: /\bBun\.(spawn|spawnSync|\$)|node:child_process/,
    places: ["runner", "sandbox", "build", "host", "cli", "pool"],
  },
];

const forbiddenNames = /(^|\/)(index\.ts|utils?|helpers?|common|managers?)(\/|\.ts$|$)/;

interface Source {
  /** Relative to src/: "link/frames.ts". */
  readonly path: string;
  readonly text: string;
}

interface Edge {
  readonly from: string;
  readonly to: string;
}

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.indexOf("/")));

/** The text without comment lines and without comments behind code. */
function withoutComments(text: string): string {
  const code = text.split("\n").filter((line) => !/^\s*(\/\/|\/\*|\*)/.test(line));
  return code.map((line) => line.replace(/\s\/\/\s.*$/, "")).join("\n");
}

/** Edges to other files of src/. */
function edgesOf({ path, text }: Source): Edge[] {
  const specifiers = withoutComments(text).matchAll(/\b(?:from|import)\s*\(?\s*["'](\.[^"']+)["']/g);
  const targets = [...specifiers].map((match) => relative(root, join(root, "src", dirname(path), match[1] ?? "")));
  return targets.filter((target) => target.startsWith("src/")).map((target) => ({ from: path, to: target.slice("src/".length) }));
}

function forbiddenEdges(edges: readonly Edge[]): string[] {
  const crossing = edges.filter(({ from, to }) => folderOf(from) !== folderOf(to));
  const forbidden = crossing.filter(({ from, to }) => !(mayImport[folderOf(from)] ?? []).includes(folderOf(to)));
  return forbidden.map(({ from, to }) => `${from} imports ${to}: ${folderOf(from) || "src"} may not import ${folderOf(to) || "src"}`);
}

/** The first cycle found, as the files on it; empty when there is none. */
function findCycle(edges: readonly Edge[]): string[] {
  const graph = Map.groupBy(edges, (edge) => edge.from);
  const done = new Set<string>();
  const visit = (file: string, trail: readonly string[]): string[] => {
    const start = trail.indexOf(file);
    if (start >= 0) return [...trail.slice(start), file];
    if (done.has(file)) return [];
    for (const { to } of graph.get(file) ?? []) {
      const cycle = visit(to, [...trail, file]);
      if (cycle.length > 0) return cycle;
    }
    done.add(file);
    return [];
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

function trespasses(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const code = withoutComments(text);
    const broken = reserved.filter(
      ({ pattern, places }) => pattern.test(code) && !places.includes(folderOf(path)) && !places.includes(path),
    );
    return broken.map(({ what, places }) => `${path} ${what}: only ${places.join(", ")} may`);
  });
}

const all = [...new Bun.Glob("**/*.ts").scanSync({ cwd: join(root, "src") })].sort();
const sources = await Promise.all(
  all
    // Trials are programs that tests start.
    .filter((path) => !/\.test\.ts$|-trial\.ts$/.test(path))
    .map(async (path): Promise<Source> => ({ path, text: await Bun.file(join(root, "src", path)).text() })),
);
const edges = sources.flatMap(edgesOf);

describe("the folders of src/", () => {
  test("were read: there are files, and imports between folders", () => {
    expect(sources.length).toBeGreaterThan(5);
    expect(edges.filter(({ from, to }) => folderOf(from) !== folderOf(to)).length).toBeGreaterThan(3);
  });

  test("are those that the table knows", () => {
    const unknown = sources.map(({ path }) => folderOf(path)).filter((folder) => !(folder in mayImport));
    expect([...new Set(unknown)]).toEqual([]);
  });

  test("import only what the table lets them", () => {
    expect(forbiddenEdges(edges)).toEqual([]);
  });

  test("import files that exist", () => {
    expect(edges.filter(({ to }) => to.endsWith(".ts") && !all.includes(to))).toEqual([]);
  });

  test("have no cycle of imports", () => {
    expect(findCycle(edges)).toEqual([]);
  });

  test("touch only what is theirs", () => {
    expect(trespasses(sources)).toEqual([]);
  });

  test("hold no file that is named after nothing", () => {
    expect(all.filter((path) => forbiddenNames.test(path))).toEqual([]);
  });
});

describe("the check itself", () => {
  const gateway = (text: string): Source => ({ path: "gateway/front.ts", text });

  test("sees imports of values, types and side effects, exports and dynamic imports", () => {
    const text = [
      'import { a } from "../core/a.ts";',
      'import type { B } from "../core/b.ts";',
      'import "../core/c.ts";',
      'export * from "../core/d.ts";',
      'const e = await import("../core/e.ts");',
      '// import { f } from "../core/f.ts";',
    ].join("\n");
    expect(edgesOf(gateway(text)).map((edge) => edge.to)).toEqual(["a", "b", "c", "d", "e"].map((name) => `core/${name}.ts`));
  });

  test("refuses an import that the table does not have", () => {
    expect(forbiddenEdges(edgesOf(gateway('import { pool } from "../pool/pool.ts";')))).toEqual([
      "gateway/front.ts imports pool/pool.ts: gateway may not import pool",
    ]);
  });

  test("finds a cycle through several files", () => {
    const cycle = ["a", "b", "c"].map((name, i, names) => ({ from: `core/${name}.ts`, to: `core/${names[(i + 1) % 3]}.ts` }));
    expect(findCycle(cycle)).toEqual(["core/a.ts", "core/b.ts", "core/c.ts", "core/a.ts"]);
  });

  test("refuses printing, exits, the environment, kernel files and processes where they do not belong", () => {
    const lines = ["console.log(1)", "process.exit(1)", "process.env.A", "Bun.argv[2]", 'read("/proc/1/stat")', "Bun.spawn([])"];
    for (const line of lines) expect(trespasses([gateway(`  ${line};`)])).toHaveLength(1);
    for (const line of lines) expect(trespasses([gateway(` * ${line};`)])).toEqual([]);
  });
});

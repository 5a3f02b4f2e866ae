/** What users get: the package that npm makes of this folder, and the command in a clone of it. */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { findMissingTools, packageOf } from "./system-tools.ts";
import { ownEnvironment, root } from "./urocket-command.ts";

const text = (name: string): string => readFileSync(join(root, name), "utf8");

interface Manifest {
  readonly version: string;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly resolved?: string;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
}

const manifest = JSON.parse(text("package.json")) as Manifest;
const lock = JSON.parse(text("package-lock.json")) as {
  readonly version: string;
  readonly packages: Readonly<Record<string, LockedPackage>>;
};

describe("the lock file", () => {
  test("is of the manifest's version", () => {
    expect(lock.version).toBe(manifest.version);
  });

  test("names no registry, so that every user's own is asked", () => {
    expect(Object.values(lock.packages).filter(({ resolved }) => resolved !== undefined)).toEqual([]);
  });

  test("holds no package that needs an install script", () => {
    expect(Object.entries(lock.packages).filter(([, locked]) => locked.hasInstallScript === true)).toEqual([]);
  });
});

test("every dependency is pinned to one version", () => {
  const { dependencies, devDependencies, optionalDependencies } = manifest;
  const versions = Object.values({ ...dependencies, ...devDependencies, ...optionalDependencies });
  expect(versions.length).toBeGreaterThan(10);
  expect(versions.filter((version) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test("nothing of ours runs at install", () => {
  const hooks = ["preinstall", "install", "postinstall", "prepare", "prepublish", "preprepare", "postprepare"];
  expect(Object.keys(manifest.scripts).filter((name) => hooks.includes(name))).toEqual([]);
});

describe("the packed package", () => {
  const packed = Bun.spawnSync(["npm", "pack", "--dry-run", "--json", "--ignore-scripts"], { cwd: root, stderr: "ignore" });
  const listed = JSON.parse(packed.stdout.toString()) as readonly {
    /** Bytes of the tarball. */
    readonly size: number;
    readonly files: readonly { readonly path: string; readonly mode: number }[];
  }[];
  const files = listed[0]?.files ?? [];
  const paths = files.map(({ path }) => path);

  test("holds the command, the sources, the schema, the templates and the licence", () => {
    const needed = [
      "bin/urocket",
      "bin/bun",
      "src/cli/main.ts",
      "src/runner/main.ts",
      "schema/urocket-service.schema.json",
      "templates/scripts/urocket-service.yaml",
      "templates/scripts/scripts/hello.sh",
      "vendor/swagger-ui/swagger-ui-bundle.js.gz",
      "vendor/swagger-ui/LICENSE",
      "LICENSE",
      "package.json",
    ];
    expect(needed.filter((path) => !paths.includes(path))).toEqual([]);
  });

  test("holds no tests and nothing of the development", () => {
    const strays = paths.filter(
      (path) =>
        (path.includes(".test.") && !path.startsWith("templates/")) ||
        !/^(bin|docs|examples|schema|src|templates|types|vendor)\/|^[A-Z]+(\.md)?$|^package\.json$|^bench\/README\.md$/.test(path),
    );
    expect(strays).toEqual([]);
  });

  test("holds what its own documents link to", () => {
    const documents = paths.filter((path) => path.endsWith(".md") && !path.startsWith("templates/"));
    const links = documents.flatMap((path) =>
      [...text(path).matchAll(/\]\(([^)#]+)/g)].flatMap(([, link = ""]) => (link.includes("://") ? [] : [join(dirname(path), link)])),
    );
    expect(links.length).toBeGreaterThan(20);
    expect(links.filter((link) => !paths.some((path) => path === link || (link.endsWith("/") && path.startsWith(link))))).toEqual([]);
  });

  test("is small", () => {
    // Almost half of it is the viewer of contracts.
    expect(listed[0]?.size).toBeLessThan(1_200_000);
  });

  test("keeps the commands executable", () => {
    expect(files.filter(({ path }) => path.startsWith("bin/")).map(({ mode }) => mode & 0o111)).toEqual([0o111, 0o111]);
  });
});

describe("in a clone", () => {
  const clone = mkdtempSync(join(tmpdir(), "urocket-clone-"));
  for (const name of ["package.json", "package-lock.json", "bin", "src", "templates", "vendor"])
    cpSync(join(root, name), join(clone, name), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(clone, "node_modules"));
  afterAll(() => rmSync(clone, { recursive: true }));

  test("npx urocket is the clone's own command, and asks no registry for it", () => {
    const env = ownEnvironment({
      HOME: join(clone, "home"),
      npm_config_registry: "http://127.0.0.1:9",
      npm_config_update_notifier: "false",
    });
    const child = Bun.spawnSync(["npx", "urocket", "version"], { cwd: clone, env, stdin: "ignore" });
    expect(child.stdout.toString()).toStartWith(`urocket ${manifest.version} (bun ${Bun.version}`);
    expect(child.exitCode).toBe(0);
  });

  test("the command works through a link from elsewhere, in any folder", () => {
    symlinkSync(join(clone, "bin/urocket"), join(clone, "linked"));
    const child = Bun.spawnSync([join(clone, "linked"), "--version"], { cwd: "/", env: {} });
    expect(child.stdout.toString()).toBe(`urocket ${manifest.version}\n`);
  });

  test("the runtime reads no .env file, bunfig.toml or package of the folder it is started in", async () => {
    const folder = join(clone, "trap");
    await Bun.write(join(folder, ".env"), "UROCKET_PORT=not-a-port\n");
    await Bun.write(join(folder, "bunfig.toml"), 'preload = ["./trap.ts"]\n');
    await Bun.write(join(folder, "trap.ts"), 'console.log("trapped");\n');
    const child = Bun.spawnSync([join(clone, "bin/urocket"), "serve"], { cwd: folder, env: ownEnvironment() });
    expect(child.exitCode).toBe(2);
    expect(child.stdout.toString() + child.stderr.toString()).not.toMatch(/trapped|not-a-port/);
  });
});

describe("tools of the system", () => {
  const script = text("scripts/setup-tools.sh");

  test("are all installed by the one script", () => {
    const installed = (/^packages="(.*)"$/m.exec(script)?.[1] ?? "").split(" ");
    expect(Object.values(packageOf).filter((name) => !installed.includes(name))).toEqual([]);
  });

  test("are reported as missing only where they are", () => {
    expect(findMissingTools([])).toEqual([]);
    expect(statSync(join(root, "scripts/setup-tools.sh")).mode & 0o111).not.toBe(0);
  });
});

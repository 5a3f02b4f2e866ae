/** From an app's function sources to a bundle, by processes of their own; or to everything that is wrong with them, at once. */
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { dirname, extname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Diagnostic } from "../core/diagnostic.ts";
import { isDiskFull, reasonOf } from "../core/system-error.ts";
import type { BuildOutcome, BuildRequest, BuiltModule } from "./build.ts";
import { bundlerDiagnostics } from "./bundler-diagnostics.ts";
import { bundleName, type BundlerMessage } from "./bundle.ts";
import type { BundlerOutcome, BundlerRequest } from "./bundler-main.ts";
import { BuildStore, isAuthors, type BuildRecord, type TypesRecord } from "./build-store.ts";
import { ownFiles } from "./own-package.ts";
import { buildMsMax, runOwn } from "./own-process.ts";
import { contentHash, isStill, stampOf } from "./stamps.ts";
import { checkTypes, type TypeCheck } from "./type-check.ts";

/** Changes when the same sources are to be built anew by a new urocket. */
const format = 1;
const bundlerMain = fileURLToPath(new URL("bundler-main.ts", import.meta.url));

/**
 * Builds, or finds the build of the same sources. Never throws for what sources say.
 * @throws the signal's reason when it is aborted.
 */
export async function buildFunctions(request: BuildRequest): Promise<BuildOutcome> {
  const store = new BuildStore(request.into, JSON.stringify([format, Bun.revision, request.folder, request.files]));
  const known = await store.fresh();
  const typesKnown = !request.typeCheck || (known !== undefined && (await typesAreFresh(known.types)));
  if (known !== undefined && typesKnown) return succeeded(store, known, request.typeCheck);
  let work: string;
  try {
    await mkdir(request.into, { recursive: true });
    work = await mkdtemp(join(request.into, ".work-"));
  } catch (error) {
    return failedAltogether(request, `Cannot build the functions in ${request.into}: ${reasonOf(error)}`);
  }
  try {
    return await build(request, store, known, work);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return failedAltogether(request, `Cannot build the functions in ${request.into}: ${reasonOf(error)}`);
  } finally {
    await Promise.all([work, bundleFolderOf(work)].map((folder) => rm(folder, { recursive: true, force: true })));
  }
}

/** Beside where it will lie when it has its name: the source map tells where sources are, seen from there. */
const bundleFolderOf = (work: string): string => `${work}.bundle`;

async function typesAreFresh(types: TypesRecord | undefined): Promise<boolean> {
  if (types === undefined) return false;
  return !(await Promise.all(types.stamps.map(isStill))).includes(false);
}

async function build(request: BuildRequest, store: BuildStore, known: BuildRecord | undefined, work: string): Promise<BuildOutcome> {
  const packages = packagesOf(request.folder);
  const [made, types] = await Promise.all([
    known ?? bundleInto(request, work, packages),
    request.typeCheck ? typesOf(request, work, packages) : undefined,
  ]);
  request.signal?.throwIfAborted();
  const typeProblems = types?.diagnostics ?? [];
  if ("problems" in made)
    return failed(request, store, [...made.problems, ...others(typeProblems, made.problems)], [...made.wanted, ...(types?.files ?? [])]);
  if (typeProblems.some(({ severity }) => severity === "error"))
    return failed(
      request,
      store,
      [...made.warnings, ...typeProblems],
      [...made.stamps.map(({ file }) => file).filter(isAuthors), ...(types?.files ?? [])],
    );
  const record = { ...made, ...(types === undefined ? {} : { types: await typesRecord(request, types) }) };
  if (known === undefined) return succeeded(store, await store.keep(bundleFolderOf(work), record), request.typeCheck);
  await store.write({ ...known, ...record });
  return succeeded(store, { ...known, ...record }, request.typeCheck);
}

function succeeded(store: BuildStore, record: BuildRecord, typeCheck: boolean): BuildOutcome {
  return { ok: true, build: store.buildOf(record), warnings: [...record.warnings, ...(typeCheck ? (record.types?.warnings ?? []) : [])] };
}

/** The nearest folder of packages: what the bundle cannot hold is loaded from there. */
function packagesOf(folder: string): string | undefined {
  for (let at = folder; ; at = dirname(at)) {
    const packages = join(at, "node_modules");
    if (existsSync(packages)) return packages;
    if (at === dirname(at)) return undefined;
  }
}

type Made =
  | BuildRecord
  /** `wanted`: files whose appearance may mend it. */
  | { readonly problems: readonly Diagnostic[]; readonly wanted: readonly string[] };

async function bundleInto(
  { folder, files, into: builds, signal }: BuildRequest,
  work: string,
  packages: string | undefined,
): Promise<Made> {
  const into = bundleFolderOf(work);
  const asked: BundlerRequest = { format, files, into, builds, own: ownFiles };
  await writeFile(join(work, "request.json"), JSON.stringify(asked));
  const end = await runOwn([bundlerMain], { folder: work, signal });
  if (end.ended === "aborted") return { problems: [], wanted: [] };
  const outcome = await readOutcome(work);
  if (outcome === undefined) {
    const why = end.ended === "time" ? `it took more than ${buildMsMax / 1000} seconds` : end.errors.trim().split("\n").at(-1) || end.ended;
    return { problems: [{ severity: "error", file: folder, message: `The bundler failed: ${why}` }], wanted: [] };
  }
  const told = bundlerDiagnostics(outcome.messages, folder);
  if (!outcome.ok) return { problems: told, wanted: [...resolutionFiles(folder, packages), ...missingFiles(outcome.messages)] };
  if (packages !== undefined) await symlink(packages, join(into, "node_modules"));
  const inputs = [...outcome.stamps, ...(await Promise.all(resolutionFiles(folder, packages).map(stampOf)))];
  const modules = files.map((file, position): BuiltModule => ({
    file,
    ...(outcome.modules[position] ?? { exports: [], exportsKnown: false }),
  }));
  const bundleHash = contentHash(await readFile(join(into, bundleName)));
  return { hash: outcome.hash, bytecode: outcome.bytecode, modules, stamps: inputs, bundleHash, warnings: told };
}

/** What says which file an import means, beside the files themselves. */
function resolutionFiles(folder: string, packages: string | undefined): readonly string[] {
  const lock = packages === undefined ? [] : [join(packages, ".package-lock.json")];
  return [join(folder, "package.json"), join(folder, "tsconfig.json"), ...lock];
}

/** What an import that leads nowhere may mean. */
function missingFiles(messages: readonly BundlerMessage[]): readonly string[] {
  return messages.flatMap(({ specifier, position }) => {
    if (specifier === undefined || position === undefined || !/^\.{0,2}\//.test(specifier)) return [];
    const path = resolve(dirname(position.file), specifier);
    return extname(path) === "" ? [`${path}.ts`, `${path}.tsx`, `${path}.js`, join(path, "index.ts")] : [path];
  });
}

async function readOutcome(work: string): Promise<BundlerOutcome | undefined> {
  try {
    return JSON.parse(await readFile(join(work, "outcome.json"), "utf8")) as BundlerOutcome;
  } catch {
    return undefined;
  }
}

async function typesOf({ folder, files, signal }: BuildRequest, work: string, packages: string | undefined): Promise<TypeCheck> {
  const own = join(work, "types-check");
  await mkdir(own);
  return await checkTypes({ folder, files, work: own, packages, signal });
}

async function typesRecord({ folder }: BuildRequest, { files, diagnostics }: TypeCheck): Promise<TypesRecord> {
  return { stamps: await Promise.all([...files, join(folder, "tsconfig.json")].map(stampOf)), warnings: diagnostics };
}

/** The checker stumbles over what the bundler has told already, and reads on from there as well as it can. */
function others(types: readonly Diagnostic[], told: readonly Diagnostic[]): readonly Diagnostic[] {
  const lines = new Set(told.map(({ place }) => place && `${place.file}:${place.line}`));
  const isSyntax = ({ message }: Diagnostic): boolean => /\(TS1\d{3}\)$/.test(message);
  return types.filter((one) => !isSyntax(one) && !(one.place && lines.has(`${one.place.file}:${one.place.line}`)));
}

async function failed(
  request: BuildRequest,
  store: BuildStore,
  problems: readonly Diagnostic[],
  watched: readonly string[],
): Promise<BuildOutcome> {
  const last = await store.last();
  const before = last === undefined ? [] : store.buildOf(last).inputs;
  const named = problems.flatMap(({ place }) => place?.file ?? []);
  return { ok: false, problems, inputs: [...new Set([...request.files, ...before, ...watched, ...named])] };
}

function failedAltogether({ files }: BuildRequest, message: string): BuildOutcome {
  return { ok: false, problems: [{ severity: "error", message }], inputs: files };
}

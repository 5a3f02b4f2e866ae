/**
 * What a container's "/" is made of: the host's /usr and what leads there, the little of /etc that programs need, all read-only, or a
 * tree of the user's in their place; and urocket's own files in /.urocket. Made once for all containers of a host that have the same.
 *
 * Of /etc a fixed list is there, and nothing else: what is not named cannot give away anything.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { readElf } from "./elf.ts";
import { insideUser } from "./oci-config.ts";

/** Where urocket's own files are inside. Nothing of a container's own world is likely to be called so. */
export const ownFolder = "/.urocket";
export const inside = {
  bin: `${ownFolder}/bin`,
  bun: `${ownFolder}/bin/bun`,
  init: `${ownFolder}/init`,
  sources: `${ownFolder}/src`,
  /** What an instance's own runner runs, where that is one file. */
  runner: `${ownFolder}/runner`,
  link: `${ownFolder}/link.sock`,
  /** An instance's own files of /etc. */
  etc: `${ownFolder}/etc`,
  functions: `${ownFolder}/functions`,
  secrets: `${ownFolder}/secrets`,
  app: "/app",
  data: "/data",
  run: "/run",
} as const;

/** Folders of the host, or links to them, that are as they are. */
const systemFolders = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;

/**
 * Of the host's /etc: how names, dates, types and certificates are found, and what interpreters read at their start. A "*" at the end
 * stands for any rest. Links are taken as links.
 */
const etcNames = [
  "alternatives ca-certificates crypto-policies fonts gai.conf host.conf ld-musl-* ld.so.cache ld.so.conf ld.so.conf.d",
  "localtime magic mime.types os-release pki protocols services ssl terminfo timezone",
  "ImageMagick-* erlang ghc java* lua* perl php* python* R ruby*",
].flatMap((names) => names.split(" "));

/** An instance's own: links to `inside.etc`. */
const ownEtcNames = ["hosts", "hostname", "resolv.conf"] as const;

const madeEtc: Readonly<Record<string, string>> = {
  passwd: [
    "root:x:0:0:root:/:/usr/sbin/nologin",
    `app:x:${insideUser}:${insideUser}:app:/tmp:/bin/sh`,
    "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin",
    "",
  ].join("\n"),
  group: ["root:x:0:", `app:x:${insideUser}:`, "nogroup:x:65534:", ""].join("\n"),
  "nsswitch.conf": ["passwd: files", "group: files", "hosts: files dns", "networks: files", "services: files", ""].join("\n"),
};

/** Mount points of every container, and of those that an app asks for. */
const mountPoints = ["proc", "dev", "tmp", "run", "app", "data"] as const;
const ownMountPoints = [inside.runner, inside.etc, inside.functions, inside.secrets, inside.sources, inside.bin];

export interface RootBind {
  /** The host's. */
  readonly source: string;
  /** Inside. */
  readonly at: string;
}

export interface RootPlan {
  readonly folders: readonly string[];
  readonly links: readonly (readonly [at: string, target: string])[];
  readonly files: readonly { readonly at: string; readonly text: string; readonly mode: number }[];
  readonly copies: readonly { readonly at: string; readonly from: string; readonly mode: number }[];
  readonly binds: readonly RootBind[];
  /** How Bun is started inside. */
  readonly bun: readonly string[];
}

export interface RootParts {
  /** This package. */
  readonly packageFolder: string;
  /** The Bun that runs the host. */
  readonly bun: string;
  /** The init. */
  readonly init: string;
  /** Whether the init becomes a copy that may be run and not be read: the kernel then lets nobody look into PID 1 (ptrace(2), PR_SET_DUMPABLE). */
  readonly hiddenInit: boolean;
  /** A tree of the user's, absolute. */
  readonly rootfs?: string | undefined;
}

/** @throws Error when something that it takes is not there. */
export function planRoot({ packageFolder, bun, init, hiddenInit, rootfs }: RootParts): RootPlan {
  const plan = new Planning();
  for (const name of mountPoints) plan.folders.push(`/${name}`);
  plan.folders.push(...ownMountPoints);
  plan.file(inside.link, "", 0o600);
  if (rootfs === undefined) planHost(plan);
  else planTree(plan, rootfs);
  for (const name of ownEtcNames) plan.links.push([`/etc/${name}`, `..${inside.etc}/${name}`]);
  const loader = rootfs === undefined ? undefined : missingLoader(bun, rootfs);
  const started = loader === undefined ? inside.bun : `${ownFolder}/libc/bun`;
  plan.bind(bun, started);
  if (loader !== undefined) planLoader(plan, loader);
  const bunWords =
    loader === undefined ? [inside.bun] : [`${ownFolder}/libc/${loader.name}`, "--library-path", `${ownFolder}/libc`, started];
  if (loader !== undefined) plan.file(inside.bun, `#!/bin/sh\nexec ${bunWords.join(" ")} "$@"\n`, 0o755);
  plan.file(`${inside.bin}/urocket`, urocketCommand(bunWords), 0o755);
  plan.bind(join(packageFolder, "src"), inside.sources);
  plan.bind(join(packageFolder, "package.json"), `${ownFolder}/package.json`);
  if (hiddenInit) plan.copies.push({ at: inside.init, from: init, mode: 0o711 });
  else plan.bind(init, inside.init);
  return { ...plan.done(), bun: bunWords };
}

const urocketCommand = (bun: readonly string[]): string =>
  `#!/bin/sh\nexec ${bun.join(" ")} --no-env-file --no-install --config=/dev/null ${inside.sources}/cli/main.ts "$@"\n`;

/** Makes a plan's folders, links and files. What is bound over them is not there yet. @param folder is made. */
export function makeSkeleton(plan: RootPlan, folder: string): void {
  const at = (path: string): string => join(folder, path);
  // Whatever this process's umask takes away: users of containers are others.
  const make = (path: string): void => {
    if (existsSync(path)) return;
    make(dirname(path));
    mkdirSync(path);
    chmodSync(path, 0o755);
  };
  make(folder);
  for (const path of plan.folders) make(at(path));
  // runc gives what it mounts there the folder's mode.
  chmodSync(at("/tmp"), 0o1777);
  for (const path of [...plan.links.map(([path]) => path), ...[...plan.files, ...plan.copies, ...plan.binds].map((part) => part.at)]) {
    make(dirname(at(path)));
  }
  for (const [path, target] of plan.links) symlinkSync(target, at(path));
  for (const { at: path, text, mode } of plan.files) {
    writeFileSync(at(path), text, { mode });
    chmodSync(at(path), mode);
  }
  for (const { at: path, from, mode } of plan.copies) {
    copyFileSync(from, at(path));
    chmodSync(at(path), mode);
  }
  for (const { at: path, source } of plan.binds) {
    if (lstatSync(source).isDirectory()) make(at(path));
    else if (!existsSync(at(path))) writeFileSync(at(path), "", { mode: 0o644 });
  }
}

class Planning {
  readonly folders: string[] = [];
  readonly links: [string, string][] = [];
  readonly files: { at: string; text: string; mode: number }[] = [];
  readonly copies: { at: string; from: string; mode: number }[] = [];
  readonly binds: RootBind[] = [];

  file(at: string, text: string, mode = 0o644): void {
    this.files.push({ at, text, mode });
  }

  bind(source: string, at: string): void {
    this.binds.push({ source, at });
  }

  /** What is at a place of the host, as it is: a link stays one. Nothing, when nothing is there. */
  same(source: string, at: string): void {
    const found = lstatSync(source, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (found.isSymbolicLink()) this.links.push([at, readlinkSync(source)]);
    else if (found.isDirectory() || found.isFile()) this.bind(source, at);
  }

  done(): Omit<RootPlan, "bun"> {
    return { folders: this.folders, links: this.links, files: this.files, copies: this.copies, binds: this.binds };
  }
}

function planHost(plan: Planning): void {
  for (const name of systemFolders) plan.same(`/${name}`, `/${name}`);
  for (const name of readdirSync("/etc").filter(isWanted)) plan.same(`/etc/${name}`, `/etc/${name}`);
  for (const [name, text] of Object.entries(madeEtc)) plan.file(`/etc/${name}`, text);
}

function isWanted(name: string): boolean {
  return etcNames.some((wanted) => (wanted.endsWith("*") ? name.startsWith(wanted.slice(0, -1)) : name === wanted));
}

/** The tree's /etc is one of links, so that some names in it can be the instance's own. */
function planTree(plan: Planning, rootfs: string): void {
  const taken = new Set<string>([...mountPoints, "sys", "etc", ownFolder.slice(1)]);
  for (const name of readdirSync(rootfs)) if (!taken.has(name)) plan.same(join(rootfs, name), `/${name}`);
  const etc = join(rootfs, "etc");
  const names = existsSync(etc) ? readdirSync(etc) : [];
  if (names.length > 0) plan.bind(etc, `${ownFolder}/rootfs-etc`);
  const own = new Set<string>(ownEtcNames);
  for (const name of names) if (!own.has(name)) plan.links.push([`/etc/${name}`, `..${ownFolder}/rootfs-etc/${name}`]);
  for (const [name, text] of Object.entries(madeEtc)) if (!names.includes(name)) plan.file(`/etc/${name}`, text);
}

interface Loader {
  readonly file: string;
  readonly name: string;
}

/** The libraries that Bun is linked to. */
const bunLibraries = ["libc.so.6", "libpthread.so.0", "libdl.so.2", "libm.so.6"];

/** The dynamic loader that Bun needs, where a tree has none at its place: one of another C library, or of none. */
function missingLoader(bun: string, rootfs: string): Loader | undefined {
  const elf = readElf(bun);
  if (!elf.elf || elf.interpreter === undefined) return undefined;
  if (isInTree(rootfs, elf.interpreter)) return undefined;
  return { file: realpathSync(elf.interpreter), name: elf.interpreter.slice(elf.interpreter.lastIndexOf("/") + 1) };
}

function planLoader(plan: Planning, { file, name }: Loader): void {
  plan.bind(file, `${ownFolder}/libc/${name}`);
  // They lie beside the loader: one C library is all of one piece.
  for (const library of bunLibraries) plan.bind(realpathSync(join(dirname(file), library)), `${ownFolder}/libc/${library}`);
}

/** Links are followed as from inside. */
function isInTree(rootfs: string, path: string, followed = 0): boolean {
  const words = path.split("/").filter((word) => word !== "");
  let place = "";
  for (const [index, word] of words.entries()) {
    place = join(place, "/", word);
    const found = lstatSync(join(rootfs, place), { throwIfNoEntry: false });
    if (found === undefined) return false;
    if (!found.isSymbolicLink()) continue;
    const target = readlinkSync(join(rootfs, place));
    const next = join(target.startsWith("/") ? target : join(dirname(place), target), ...words.slice(index + 1));
    return followed < 40 && isInTree(rootfs, next, followed + 1);
  }
  return true;
}

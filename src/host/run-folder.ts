/**
 * Where a host keeps what lives only while it runs: links and reply sockets of its instances. The folder's name says whose it
 * is, from the moment it is there, so that the next host knows what a killed one left and removes it, and never a living one's.
 */
import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { socketPathBytesMax } from "../core/socket-path.ts";
import { reasonOf } from "../core/system-error.ts";
import { isAbandoned, livingOwner, ownerMark } from "../sandbox/group-names.ts";
import { endProcessesOf } from "../sandbox/process.ts";

const descriptionFile = "host.json";
/** Programs that run as another user pass through to their own reply socket; nobody else sees what is there. */
export const passable = 0o711;
/** Bytes of its path. What comes below it, an app's and an instance's folder and a reply socket, takes the rest of a socket's path. */
export const runFolderBytesMax = socketPathBytesMax - "/a9999/0123456789ab/reply-4294967295.sock".length;

export class RunFolderFailure extends Error {
  override readonly name = "RunFolderFailure";
  readonly hint = "Set XDG_RUNTIME_DIR or TMPDIR to a folder with a short path that this user may write to";
}

interface DescribedApp {
  readonly name: string;
  /** Absolute. */
  readonly folder: string;
  readonly listeners: readonly { readonly name: string; readonly url: string }[];
}

/** What a host tells other commands on this machine about itself. */
export interface HostDescription {
  /** "http://127.0.0.1:8080" */
  readonly url: string;
  readonly apps: readonly DescribedApp[];
}

export interface FoundHost extends HostDescription {
  readonly pid: number;
}

/**
 * Makes this process's run folder in the first of `candidates` that takes one, after removing there what dead hosts left.
 * @throws RunFolderFailure when none does.
 */
export function openRunFolder(candidates: readonly string[]): string {
  const refusals: string[] = [];
  for (const base of candidates) {
    const folder = join(base, ownerMark());
    const bytes = Buffer.byteLength(folder);
    if (bytes > runFolderBytesMax) {
      refusals.push(`${folder}: its path has ${bytes} bytes, and at most ${runFolderBytesMax} leave room for unix sockets below it`);
      continue;
    }
    try {
      mkdirSync(base, { recursive: true, mode: passable });
      refuseForeign(base);
      chmodSync(base, passable);
      sweepRunFolders([base]);
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { mode: passable });
      chmodSync(folder, passable);
      return folder;
    } catch (error) {
      refusals.push(`${base}: ${reasonOf(error)}`);
    }
  }
  throw new RunFolderFailure(`Cannot make a run folder: ${refusals.join("; ")}`);
}

/** Writes down where this process's host listens and which apps it serves. To be called again when either changes. */
export function describeHost(folder: string, { url, apps }: HostDescription): void {
  const described = apps.map(({ name, folder: from, listeners }) => ({ name, folder: from, listeners }));
  const file = join(folder, descriptionFile);
  // Renamed into its place, so that nobody ever reads half of it.
  writeFileSync(`${file}.new`, JSON.stringify({ url, apps: described } satisfies HostDescription));
  renameSync(`${file}.new`, file);
}

/** The hosts of this user that serve now. @param candidates as of `openRunFolder`. */
export function findHosts(candidates: readonly string[]): readonly FoundHost[] {
  return candidates.flatMap(hostFoldersIn).flatMap((folder) => {
    const pid = livingOwner(basename(folder));
    const description = pid === undefined ? undefined : readDescription(folder);
    return pid === undefined || description === undefined ? [] : [{ pid, ...description }];
  });
}

/** Undefined until the host serves. */
function readDescription(folder: string): HostDescription | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, descriptionFile), "utf8")) as HostDescription;
  } catch {
    return undefined;
  }
}

function hostFoldersIn(base: string): readonly string[] {
  try {
    refuseForeign(base);
    return readdirSync(base).map((name) => join(base, name));
  } catch {
    return [];
  }
}

/**
 * Below /tmp anybody can be there first. Whose folder it is can put sockets of their own in the place of ours: the links on
 * which runners are told what to start. So it must be our own, and no link to elsewhere.
 */
function refuseForeign(base: string): void {
  const found = lstatSync(base);
  if (!found.isDirectory()) throw new Error("it is not a folder; remove it");
  if (found.uid !== process.getuid?.()) throw new Error(`it belongs to user ${found.uid}; have it removed`);
}

/** Run folders of hosts that are no more. @param candidates as of `openRunFolder`. */
export function abandonedRunFolders(candidates: readonly string[]): readonly string[] {
  return candidates.flatMap(hostFoldersIn).filter((folder) => isAbandoned(basename(folder)));
}

/** Removes them, and ends what still runs in them. @returns those that were removed. */
export function sweepRunFolders(candidates: readonly string[]): readonly string[] {
  const abandoned = abandonedRunFolders(candidates);
  for (const folder of abandoned) {
    endProcessesOf(folder);
    rmSync(folder, { recursive: true, force: true });
  }
  return abandoned;
}

/** Why no run folder can be made in any of them; undefined: one can. Nothing is made. */
export function whyNoRunFolder(candidates: readonly string[]): string | undefined {
  const refusals: string[] = [];
  for (const base of candidates) {
    const refusal = whyNoRunFolderIn(base);
    if (refusal === undefined) return undefined;
    refusals.push(`${base}: ${refusal}`);
  }
  return refusals.join("; ");
}

function whyNoRunFolderIn(base: string): string | undefined {
  if (Buffer.byteLength(join(base, ownerMark())) > runFolderBytesMax) return "its path is too long for unix sockets below it";
  try {
    const there = existsSync(base);
    if (there) refuseForeign(base);
    accessSync(there ? base : nearestFolder(base), constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function nearestFolder(path: string): string {
  const above = dirname(path);
  return above === path || existsSync(above) ? above : nearestFolder(above);
}

/** What is mounted where, as /proc/self/mountinfo says it (proc_pid_mountinfo(5)), and what is to be. */
import { readFileSync } from "node:fs";

export interface MountEntry {
  /** Where. */
  readonly point: string;
  readonly type: string;
  /** Of the file system, not of the mount: "rw,memory". */
  readonly superOptions: readonly string[];
}

/** A line of fstab(5). */
export interface MountLine {
  readonly source: string;
  readonly target: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** @param text of a mountinfo file. Default: this process's. */
export function readMounts(text = readFileSync("/proc/self/mountinfo", "utf8")): readonly MountEntry[] {
  return text.split("\n").flatMap((line) => {
    // id parent device ROOT POINT options optional… - TYPE source SUPEROPTIONS
    const [before = "", after = ""] = line.split(" - ");
    const point = before.split(" ")[4];
    const [type = "", , superOptions = ""] = after.split(" ");
    return point === undefined ? [] : [{ point: unescaped(point), type, superOptions: superOptions.split(",") }];
  });
}

function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** A file or folder with what is mounted in it, each read-only. */
export function readOnlyLines(source: string, target: string): MountLine[] {
  const nested = readMounts().filter(({ point }) => point.startsWith(`${source}/`));
  return [source, ...nested.map(({ point }) => point)].map((point) => ({
    source: point,
    target: target + point.slice(source.length),
    type: "none",
    options: ["bind", "ro", "nosuid", "nodev"],
  }));
}

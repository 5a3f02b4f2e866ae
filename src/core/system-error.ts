/** The kernel's refusals in words that a person can act on: one home, so that no message ends in a bare errno. */

/** What errno(3)'s names mean to somebody who does not know them, as the end of a sentence. */
const reasons: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "permission denied",
  ENOENT: "there is no such file",
  ENOTDIR: "a part of the path is not a folder",
  EISDIR: "it is a folder",
  ENOSPC: "no space is left on the disk",
  EDQUOT: "the disk quota is used up",
  EROFS: "the file system is read-only",
  ENAMETOOLONG: "the path is too long",
  ELOOP: "its links lead in a circle",
  EMFILE: "too many files are open",
  ENFILE: "too many files are open",
  ENOMEM: "the machine is out of memory",
  EIO: "the disk failed",
};

/** The name of the kernel's error: "EACCES"; undefined: it is none. */
export function codeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

/** Whatever is written then fails, at whichever step that happens to be: the machine's fault and nobody else's. */
export function isDiskFull(error: unknown): boolean {
  return ["ENOSPC", "EDQUOT"].includes(codeOf(error) ?? "");
}

/** Why something failed, as the end of a sentence: "permission denied". What has no words of ours is told in its own. */
export function reasonOf(error: unknown): string {
  const known = reasons[codeOf(error) ?? ""];
  if (known !== undefined) return known;
  return error instanceof Error ? error.message : String(error);
}

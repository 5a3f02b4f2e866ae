/** What a file was like when something was made of it: whether that would come out the same again. */
import { readFile, stat } from "node:fs/promises";

export interface Stamp {
  /** Absolute. */
  readonly file: string;
  /** -1: it was not there. */
  readonly bytes: number;
  readonly modifiedMs: number;
  /** Of its content. */
  readonly hash: string;
}

export async function stampOf(file: string): Promise<Stamp> {
  try {
    const { size, mtimeMs } = await stat(file);
    return { file, bytes: size, modifiedMs: mtimeMs, hash: contentHash(await readFile(file)) };
  } catch {
    return { file, bytes: -1, modifiedMs: 0, hash: "" };
  }
}

/** Whether a file still has the content that it was stamped with. It is read only where its size or time differ. */
export async function isStill({ file, bytes, modifiedMs, hash }: Stamp): Promise<boolean> {
  const found = await stat(file).catch(() => undefined);
  if (found === undefined) return bytes === -1;
  if (found.size !== bytes) return false;
  return found.mtimeMs === modifiedMs || (await stampOf(file)).hash === hash;
}

/** 128 bits would do; it is cut from SHA-256, so that nobody can make two sources alike. */
export function contentHash(content: string | Uint8Array): string {
  return new Bun.CryptoHasher("sha256").update(content).digest("hex").slice(0, hashLength);
}

const hashLength = 40;

/** Whether a name can be a content's hash. */
export const isContentHash = (name: string): boolean => name.length === hashLength && /^[0-9a-f]+$/.test(name);

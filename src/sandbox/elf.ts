/** What an executable needs to be started, by its own word (elf(5)): the dynamic loader, if it has not everything in itself. */
import { closeSync, openSync, readSync } from "node:fs";

const programInterpreter = 3;
/** Header and program headers of any executable lie in its first bytes. */
const headBytes = 16 * 1024;

export type ElfKind = { readonly elf: false } | { readonly elf: true; readonly interpreter?: string };

/** @throws Error when the file cannot be read. */
export function readElf(file: string): ElfKind {
  const head = Buffer.alloc(headBytes);
  const opened = openSync(file, "r");
  try {
    const bytes = readSync(opened, head, 0, headBytes, 0);
    // 64 bits, the lowest byte first: what there is on machines that Bun exists for.
    if (bytes < 64 || head.readUInt32BE(0) !== 0x7f454c46 || head[4] !== 2 || head[5] !== 1) return { elf: false };
    const table = Number(head.readBigUInt64LE(32));
    const size = head.readUInt16LE(54);
    const count = head.readUInt16LE(56);
    for (let at = table; at < table + size * count && at + size <= bytes; at += size) {
      if (head.readUInt32LE(at) !== programInterpreter) continue;
      const start = Number(head.readBigUInt64LE(at + 8));
      const length = Number(head.readBigUInt64LE(at + 32));
      const text = Buffer.alloc(Math.min(length, 4096));
      readSync(opened, text, 0, text.length, start);
      return { elf: true, interpreter: text.toString("utf8").replace(/\0.*$/s, "") };
    }
    return { elf: true };
  } finally {
    closeSync(opened);
  }
}

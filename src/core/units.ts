/**
 * Durations, sizes and shares of a CPU as people write them in a service file or on the command line, and back.
 * Each parser returns a value or a message that names what was written and how it should look.
 */

/** The message starts in the middle of a sentence: `is not a duration: …`; who calls puts the value's name before it. */
export type Parsed = { readonly ok: true; readonly value: number } | { readonly ok: false; readonly message: string };

const millisecondsPer: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["ms", 1],
  ["s", 1000],
  ["m", 60_000],
  ["h", 3_600_000],
]);

const bytesPer: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["k", 1000],
  ["K", 1000],
  ["M", 1000 ** 2],
  ["G", 1000 ** 3],
  ["T", 1000 ** 4],
  ["Ki", 1024],
  ["Mi", 1024 ** 2],
  ["Gi", 1024 ** 3],
  ["Ti", 1024 ** 4],
]);

/** What a duration looks like, for messages. */
export const durationForm = 'a duration such as 300 (milliseconds), "250ms", "30s", "5m" or "1h"';
/** What a size looks like, for messages. */
export const sizeForm = 'a size such as 1024 (bytes), "64Mi", "128M" or "10Gi"';
/** What a CPU figure looks like, for messages. */
export const cpuForm = 'a number of CPUs such as 2, 0.5 or "500m"';

/** Regular expressions of the same forms, for JSON Schema. */
export const durationPattern = String.raw`^\d+(\.\d+)?\s*(ms|s|m|h)?$`;
export const sizePattern = String.raw`^\d+(\.\d+)?\s*(([kKMGT]|[KMGT]i)B?|B)?$`;
export const cpuPattern = String.raw`^\d+(\.\d+)?m?$`;

const quantity = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/;

/**
 * Reads a duration into milliseconds. Without a unit it is milliseconds; units are `ms`, `s`, `m` and `h`. A fraction is
 * taken when it makes whole milliseconds ("1.5s"), and refused otherwise.
 */
export function parseDuration(text: string): Parsed {
  const [, amount = "", unit = ""] = quantity.exec(text.trim()) ?? [];
  const factor = millisecondsPer.get(unit);
  if (amount === "" || factor === undefined) return refuse(text, durationForm);
  return whole(Number(amount) * factor, text, "milliseconds");
}

/**
 * Reads a size into bytes. Without a unit it is bytes; `k`, `M`, `G`, `T` are powers of 1000, `Ki`, `Mi`, `Gi`, `Ti` of
 * 1024, as in Kubernetes; a `B` behind them is allowed. Fractions of a byte are cut off.
 */
export function parseSize(text: string): Parsed {
  const [, amount = "", unit = ""] = quantity.exec(text.trim()) ?? [];
  const prefix = unit.endsWith("B") ? unit.slice(0, -1) : unit;
  const factor = bytesPer.get(prefix);
  if (amount === "" || factor === undefined) return refuse(text, sizeForm);
  const bytes = Math.floor(Number(amount) * factor);
  return Number.isSafeInteger(bytes) ? { ok: true, value: bytes } : tooLarge(text);
}

/** Reads CPUs' worth of time: `0.5` and `500m` are half of one. */
export function parseCpu(text: string): Parsed {
  const [, amount = "", unit = ""] = quantity.exec(text.trim()) ?? [];
  if (amount === "" || (unit !== "" && unit !== "m")) return refuse(text, cpuForm);
  const cpus = unit === "m" ? Number(amount) / 1000 : Number(amount);
  return Number.isSafeInteger(Math.ceil(cpus)) ? { ok: true, value: cpus } : tooLarge(text);
}

/** Writes milliseconds so that `parseDuration` reads them back: the largest unit that needs no fraction. */
export function formatDuration(ms: number): string {
  for (const unit of ["h", "m", "s"]) {
    const factor = millisecondsPer.get(unit) ?? 1;
    if (ms !== 0 && ms % factor === 0) return `${ms / factor}${unit}`;
  }
  return `${ms}ms`;
}

/** Writes bytes so that `parseSize` reads them back: the largest power of 1024 that needs no fraction, else plain bytes. */
export function formatSize(bytes: number): string {
  for (const unit of ["Ti", "Gi", "Mi", "Ki"]) {
    const factor = bytesPer.get(unit) ?? 1;
    if (bytes !== 0 && bytes % factor === 0) return `${bytes / factor}${unit}`;
  }
  return `${bytes}`;
}

function whole(value: number, text: string, of: string): Parsed {
  // 0.001 × 1000 is not always a whole number in binary; what is within a millionth of one is meant to be it.
  const rounded = Math.round(value);
  if (!Number.isSafeInteger(rounded)) return tooLarge(text);
  if (Math.abs(rounded - value) > 1e-6) return { ok: false, message: `is "${text}", which is not a whole number of ${of}` };
  return { ok: true, value: rounded };
}

function refuse(text: string, form: string): Parsed {
  return { ok: false, message: `must be ${form}, found "${text}"` };
}

function tooLarge(text: string): Parsed {
  return { ok: false, message: `is "${text}", which is too large to be counted` };
}

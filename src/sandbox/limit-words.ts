/** How limits are called in messages: by their keys in the service file, with their values. */

const units = ["GiB", "MiB", "KiB"] as const;

/** "limits.memory of 64 MiB" */
export function memoryLimitWords(bytesMax: number): string {
  return `limits.memory of ${bytesWords(bytesMax)}`;
}

/** "limits.cpu of 0.5" */
export function cpuLimitWords(cpuMax: number): string {
  return `limits.cpu of ${cpuMax}`;
}

/** "limits.pids of 64" */
export function pidsLimitWords(pidsMax: number): string {
  return `limits.pids of ${pidsMax}`;
}

/** "limits.tmp of 64 MiB" */
export function tmpLimitWords(bytesMax: number): string {
  return `limits.tmp of ${bytesWords(bytesMax)}`;
}

function bytesWords(bytes: number): string {
  for (const [index, unit] of units.entries()) {
    const size = 1024 ** (units.length - index);
    if (bytes > 0 && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} bytes`;
}

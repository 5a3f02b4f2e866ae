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

function bytesWords(bytes: number): string {
  for (const [index, unit] of units.entries()) {
    const size = 1024 ** (units.length - index);
    if (bytes > 0 && bytes % size === 0) return `${bytes / size} ${unit}`;
  }
  return `${bytes} bytes`;
}

/**
 * "limits.pids of 64 is not held: no control group …". Memory is watched then: without control groups the kernel offers nothing that
 * holds for several processes together, nor for one without breaking those that reserve far more than they use.
 */
export function notHeldWords(words: string, limited: "memory" | "cpu" | "pids", reason: string): string {
  return limited === "memory"
    ? `${words} is not held by the kernel but watched, some times a second: ${reason}`
    : `${words} is not held: ${reason}`;
}

/** Why containers cannot be connected, in words that say what to do about it. */
import { CommandFailure, missingNetworkTools } from "./network-commands.ts";
import { SandboxFailure } from "./sandbox-failure.ts";

/** @throws SandboxFailure when a tool is missing. */
export function refuseWithoutTools(): void {
  const missing = missingNetworkTools();
  if (missing === undefined) return;
  throw new SandboxFailure(
    `Cannot connect containers: ${missing.names} cannot be found`,
    `Install it: ${missing.command}; or set "network: none" for apps that need no network`,
  );
}

/** The kernel's refusals with what to do about them. */
export async function explained<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    const notPermitted = /Operation not permitted|Permission denied|not permitted/.test(error.message);
    throw new SandboxFailure(
      `Cannot connect containers: ${error.message}`,
      notPermitted
        ? "Run the host as root, with CAP_NET_ADMIN and CAP_SYS_ADMIN; in a container: privileged"
        : `"urocket doctor" says what this machine lacks`,
    );
  }
}

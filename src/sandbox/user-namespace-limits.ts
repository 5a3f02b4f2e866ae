/**
 * What the kernel counts by user, for a container's users: the counts of a user namespace are also its maker's (user_namespaces(7),
 * "/proc/sys/user"), who is root here. Without limits of its own one container would take all of what root, and with that the
 * machine's own services, may have.
 */

/** inotify(7): by default 128 instances a user. Runtimes and frameworks that watch files take one a process. */
export const inotifyInstancesMax = 16;
const inotifyWatchesMax = 8192;

const script = [
  `echo ${inotifyInstancesMax} > /proc/sys/user/max_inotify_instances`,
  `echo ${inotifyWatchesMax} > /proc/sys/user/max_inotify_watches`,
  "echo 0 > /proc/sys/user/max_fanotify_groups",
].join("; ");

/** Limits the user namespace that a process is in. What the kernel does not know or allow is left as it is. Never rejects. */
export async function limitUserNamespace(nsenter: string, pid: number): Promise<void> {
  try {
    await Bun.spawn([nsenter, `--user=/proc/${pid}/ns/user`, "/bin/sh", "-c", script], { stdio: ["ignore", "ignore", "ignore"] }).exited;
  } catch {
    // Nothing can be started: nor can anything else.
  }
}

/** A machine that lacks something, for those who start a command with it: lines of sh for a mount namespace that ends with the command. */

/** Programs that stand in for one another, and have to be missing all. */
export const inits: readonly string[] = ["tini", "tini-static", "docker-init", "catatonit", "dumb-init"];

/** Covers programs, wherever they are, by what cannot be run. */
export function withoutTools(...tools: readonly string[]): string {
  return `for tool in ${tools.join(" ")}; do
    for folder in /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin; do
      if [ -e "$folder/$tool" ]; then mount --bind /dev/null "$(readlink -f "$folder/$tool")" 2>/dev/null || true; fi
    done
  done`;
}

/** As in a container that somebody else made. */
export const withLockedSysctls = "mount --bind /proc/sys /proc/sys; mount -o remount,ro,bind /proc/sys";

/** Nothing more can be written below the folder, which files can be made in all the same: /run, say. */
export function withFullDisk(folder: string): string {
  return `mkdir -p ${folder}; mount -t tmpfs -o size=64k tmpfs ${folder}; cat /dev/zero > ${folder}/fill 2>/dev/null || true`;
}

/**
 * This process's own threads in groups of version 1. A thread that steps into a group to spawn a program there gives birth in it to
 * everything that it makes meanwhile: now and then that is a thread of the runtime's, a compiler's or a collector's. Left there it would
 * be held back by the group's limits, keep the group from being removed, and have this process ended with what is in the group.
 */
import { existsSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";

/** In `tasks`: the thread that writes. */
const self = Buffer.from("0");
/** A thread may make another while it is on its way. */
const roundsMax = 10;

/** Open for good: who has stepped into a group comes back, also when no file can be opened any more. */
const homes = new Map<string, number>();

/** The `tasks` of a group that this process is in. Every program inherits the descriptor, and closes it. */
function tasksOf(home: string): number {
  let tasks = homes.get(home);
  if (tasks === undefined) homes.set(home, (tasks = openSync(join(home, "tasks"), "w")));
  return tasks;
}

/** Makes sure that this thread can come back to a group. @throws what the file system says. */
export function prepareHome(home: string): void {
  tasksOf(home);
}

/** Moves this thread back to its group. */
export function stepHome(home: string): void {
  writeSync(tasksOf(home), self, 0, 1, 0);
}

/** Moves this thread into a group whose `tasks` are open. */
export function stepInto(tasks: number): void {
  writeSync(tasks, self, 0, 1, 0);
}

/** Moves threads of this process that were born in a group to its own. That takes the kernel ten milliseconds, where there is one. */
export function bringHome(folder: string, home: string): void {
  for (let round = 0; round < roundsMax; round++) {
    const strays = ownThreadsIn(folder);
    if (strays.length === 0) return;
    for (const thread of strays) move(thread, home);
  }
}

function ownThreadsIn(folder: string): string[] {
  const threads = readFileSync(join(folder, "tasks"), "latin1").split("\n");
  return threads.filter((thread) => thread !== "" && existsSync(`/proc/self/task/${thread}`));
}

function move(thread: string, home: string): void {
  try {
    writeSync(tasksOf(home), thread);
  } catch {
    // It has ended.
  }
}

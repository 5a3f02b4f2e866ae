/** What the process tells its parent by its exit code. The same for every command; docs/cli.md lists them. */
export const exitCode = {
  /** The command did what it was asked to. */
  done: 0,
  /** It could not. */
  failed: 1,
  /** It was asked wrongly: unknown flags, bad settings, a configuration with errors. */
  usage: 2,
  /** Ended at once by a second INT: 128 + SIGINT, as shells tell it. */
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

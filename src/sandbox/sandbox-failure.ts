/** Why this machine does not confine instances as it was asked to, and what to do about it. */
export class SandboxFailure extends Error {
  override readonly name = "SandboxFailure";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

/** What to do where the run folder, below which a host writes all that it makes, is full. */
export const fullRunFolderHint = "Make room there, or set XDG_RUNTIME_DIR or TMPDIR to a folder that has some";

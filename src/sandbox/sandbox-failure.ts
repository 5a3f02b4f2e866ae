/** Why this machine does not confine instances as it was asked to, and what to do about it. */
export class SandboxFailure extends Error {
  override readonly name = "SandboxFailure";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

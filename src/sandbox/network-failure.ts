/** Why there is no network, and what to do about it. */
export class NetworkFailure extends Error {
  override readonly name = "NetworkFailure";
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.hint = hint;
  }
}

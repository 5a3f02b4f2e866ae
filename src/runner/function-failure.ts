/** What a function threw, in words for the log: with its stack in the author's files, which Bun maps by the bundle's source map. */

const causesMax = 4;
const errorsMax = 8;

/** Where this program's own code lies, as a stack names it: all of `src` where it runs from its sources, the bundle's folder else. */
const ownFolder = /(\/.*\/)[^/]*:\d+:\d+\)?$/m.exec(new Error("where").stack ?? "")?.[1]?.replace(/\/src\/runner\/$/, "/src/");

/** The error with its stack, causes and, of an AggregateError, errors. Never throws. */
export function failureText(error: unknown): string {
  try {
    return describe(error, causesMax);
  } catch {
    return "something that cannot be printed";
  }
}

function describe(error: unknown, causesLeft: number): string {
  if (!(error instanceof Error)) return typeof error === "string" ? error : Bun.inspect(error);
  const text = withoutOwnFrames(error.stack ?? `${error.name}: ${error.message}`);
  if (causesLeft === 0) return text;
  const errors = error instanceof AggregateError ? error.errors.slice(0, errorsMax) : [];
  const within = errors.map((one: unknown) => `\n[error] ${describe(one, causesLeft - 1)}`).join("");
  return error.cause === undefined ? text + within : `${text}${within}\n[cause] ${describe(error.cause, causesLeft - 1)}`;
}

/** Who called the function is of no interest to its author. */
function withoutOwnFrames(stack: string): string {
  if (ownFolder === undefined) return stack;
  const lines = stack.split("\n");
  return lines.filter((line) => !(/^\s+at /.test(line) && (line.includes(ownFolder) || /\(?(?:native|node|bun):/.test(line)))).join("\n");
}

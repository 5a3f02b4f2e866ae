/**
 * Where and why a text is not JSON. The engine's parser is fast and says neither line nor column, so a refused text is
 * gone through once more.
 */

const token =
  /[\s]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?|true|false|null)(?![\w.+-]))/y;

type Expected =
  | "a value"
  | 'a property name or "}"'
  | "a property name"
  | '":"'
  | '"," or "}"'
  | '"," or "]"'
  | 'a value or "]"'
  | "the end";

export interface JsonFault {
  /** In characters from the text's start. */
  readonly offset: number;
  /** Such as `expected a value, got "}"`. */
  readonly message: string;
}

/** A sentence such as `expected a value, got "}" at line 2, column 8`. */
export function jsonFault(text: string): string {
  const { offset, message } = locateJsonFault(text);
  const before = text.slice(0, offset);
  return `${message} at line ${before.split("\n").length}, column ${offset - before.lastIndexOf("\n")}`;
}

/** The first place at which a text that is not JSON ceases to be. */
export function locateJsonFault(text: string): JsonFault {
  const open: ("{" | "[")[] = [];
  let expected: Expected = "a value";
  token.lastIndex = 0;
  while (true) {
    const start = token.lastIndex;
    const match = token.exec(text);
    const next: Expected | undefined = match ? advance(expected, match, open) : undefined;
    if (next === undefined) return fault(text, start, expected);
    expected = next;
  }
}

function advance(expected: Expected, match: RegExpExecArray, open: ("{" | "[")[]): Expected | undefined {
  const [, mark, string, scalar] = match;
  const valueExpected = expected === "a value" || expected === 'a value or "]"';
  if (string !== undefined && (expected === "a property name" || expected === 'a property name or "}"')) return '":"';
  if (string !== undefined || scalar !== undefined) return valueExpected ? after(open) : undefined;
  if ((mark === "{" || mark === "[") && valueExpected) {
    open.push(mark);
    return mark === "{" ? 'a property name or "}"' : 'a value or "]"';
  }
  if (mark === ":" && expected === '":"') return "a value";
  if (mark === "," && expected === '"," or "}"') return "a property name";
  if (mark === "," && expected === '"," or "]"') return "a value";
  const closes =
    mark === "}"
      ? expected === '"," or "}"' || expected === 'a property name or "}"'
      : mark === "]" && (expected === '"," or "]"' || expected === 'a value or "]"');
  if (!closes) return undefined;
  open.pop();
  return after(open);
}

function after(open: readonly ("{" | "[")[]): Expected {
  const innermost = open.at(-1);
  if (innermost === undefined) return "the end";
  return innermost === "{" ? '"," or "}"' : '"," or "]"';
}

function fault(text: string, start: number, expected: Expected): JsonFault {
  const offset = start + (text.slice(start).match(/^\s*/)?.[0].length ?? 0);
  const got = offset >= text.length ? "the end" : JSON.stringify(text.slice(offset, offset + 12).split(/\s/)[0]);
  return { offset, message: `expected ${expected}, got ${got}` };
}

/**
 * Splits a command into words as POSIX shells do (XCU 2.2 and 2.6.5), without anything else that a shell does: no
 * variables, no patterns, no operators. The `shlex` packages are not used, because they undo escapes in a whole word when
 * any quote in it closes: `'a\\'"b"` loses a backslash.
 */

export interface Word {
  readonly text: string;
  /** Nothing in it was quoted or escaped: `|` is bare, `'|'` is not. */
  readonly bare: boolean;
}

export type SplitCommand = { readonly ok: true; readonly words: readonly Word[] } | { readonly ok: false; readonly message: string };

/** Characters that a backslash within double quotes escapes (XCU 2.2.3). */
const escapedInDoubleQuotes = '$`"\\';

export function splitCommand(command: string): SplitCommand {
  const words: Word[] = [];
  let word: { text: string; bare: boolean } | undefined;
  let at = 0;
  const grow = (text: string, bare: boolean): void => {
    word = { text: (word?.text ?? "") + text, bare: (word?.bare ?? true) && bare };
  };
  while (at < command.length) {
    const character = command.charAt(at);
    if (" \t\r\n".includes(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
      at += 1;
    } else if (character === "'" || character === '"') {
      const quote = character === "'" ? singleQuoted(command, at + 1) : doubleQuoted(command, at + 1);
      if (quote === undefined) return { ok: false, message: `the quote ${character} at character ${at + 1} is not closed` };
      grow(quote.text, false);
      at = quote.end;
    } else if (character === "\\") {
      if (at + 1 === command.length) return { ok: false, message: "it ends in a backslash that escapes nothing" };
      // An escaped line end joins two lines; it is no part of a word.
      if (command.charAt(at + 1) !== "\n") grow(command.charAt(at + 1), false);
      at += 2;
    } else {
      grow(character, true);
      at += 1;
    }
  }
  if (word !== undefined) words.push(word);
  return { ok: true, words };
}

interface Quote {
  readonly text: string;
  /** Offset behind the closing quote. */
  readonly end: number;
}

function singleQuoted(command: string, start: number): Quote | undefined {
  const close = command.indexOf("'", start);
  return close === -1 ? undefined : { text: command.slice(start, close), end: close + 1 };
}

function doubleQuoted(command: string, start: number): Quote | undefined {
  let text = "";
  for (let at = start; at < command.length; at += 1) {
    const character = command.charAt(at);
    if (character === '"') return { text, end: at + 1 };
    const next = command.charAt(at + 1);
    if (character === "\\" && next !== "" && `${escapedInDoubleQuotes}\n`.includes(next)) {
      if (next !== "\n") text += next;
      at += 1;
    } else {
      text += character;
    }
  }
  return undefined;
}

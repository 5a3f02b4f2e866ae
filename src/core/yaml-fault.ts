/**
 * What is wrong with a text as YAML, for people: the bracket or quote that was never closed where it opens, not where the
 * parser gave up, and the common slips in plain words.
 */
import { CST, Lexer } from "yaml";

/** An error as the parser tells it; `pos` counts characters from the text's start. */
export interface YamlError {
  readonly code: string;
  readonly pos: readonly [number, number];
  readonly message: string;
}

export interface YamlFault {
  /** In characters from the text's start. */
  readonly offset: number;
  /** Starts with a capital, ends without a full stop. */
  readonly message: string;
  readonly hint?: string;
}

/**
 * The faults behind a parser's errors, one a line at the most, by place. A bracket or quote that is not closed is the last
 * that is told: whatever the parser found behind it follows from it.
 */
export function yamlFaults(text: string, errors: readonly YamlError[]): readonly YamlFault[] {
  const last = unclosed(text, errors);
  // A value that goes on as keys in the next line is told by the parser as both.
  const values = offsetsOf(errors, "BLOCK_AS_IMPLICIT_KEY");
  const goingOn = values.intersection(offsetsOf(errors, "MULTILINE_IMPLICIT_KEY"));
  const byLine = new Map<number, YamlFault>();
  for (const error of errors) {
    const [offset] = error.pos;
    if (last !== undefined && offset >= last.offset) break;
    if (error.code === "MULTILINE_IMPLICIT_KEY" && values.has(offset)) continue;
    const fault = goingOn.has(offset) ? indentedTooFar(text, offset) : toFault(text, error);
    const line = text.lastIndexOf("\n", fault.offset - 1);
    if (!byLine.has(line)) byLine.set(line, fault);
    // What stands where it cannot puts the parser out of step.
    if (error.code === "UNEXPECTED_TOKEN") break;
  }
  return last === undefined ? [...byLine.values()] : [...byLine.values(), last];
}

function offsetsOf(errors: readonly YamlError[], code: string): Set<number> {
  return new Set(errors.filter((error) => error.code === code).map(({ pos }) => pos[0]));
}

const closers: Readonly<Record<string, string>> = { "{": "}", "[": "]" };

interface Opened {
  readonly bracket: string;
  readonly offset: number;
}

/** The first quote or bracket that does not have its partner. */
function unclosed(text: string, errors: readonly YamlError[]): YamlFault | undefined {
  const quoteEnds = new Set(errors.filter(({ message }) => /^Missing closing ['"]quote/.test(message)).map(({ pos }) => pos[0]));
  const open: Opened[] = [];
  let offset = 0;
  for (const token of new Lexer().lex(text)) {
    const type = CST.tokenType(token);
    const innermost = open.at(-1);
    switch (type) {
      // These stand for no characters of the text.
      case "doc-mode":
      case "scalar":
        continue;
      case "flow-error-end":
        if (innermost !== undefined) return neverClosed(text, innermost, offset);
        continue;
      case "flow-map-start":
      case "flow-seq-start":
        open.push({ bracket: token, offset });
        break;
      case "flow-map-end":
      case "flow-seq-end":
        if (innermost === undefined) return closesNothing(offset, token);
        if (closers[innermost.bracket] !== token) return closesAnother(text, innermost, offset, token);
        open.pop();
        break;
      case "single-quoted-scalar":
      case "double-quoted-scalar":
        if (quoteEnds.has(offset + token.length)) return quoteNeverClosed(offset, token.slice(0, 1));
        break;
      default:
        break;
    }
    offset += token.length;
  }
  const innermost = open.at(-1);
  return innermost === undefined ? undefined : neverClosed(text, innermost, text.length);
}

function neverClosed(text: string, { bracket, offset }: Opened, end: number): YamlFault {
  const hint =
    text.slice(end).trim() === ""
      ? `Put "${closers[bracket]}" at its end`
      : `Put "${closers[bracket]}" at its end, before line ${lineOf(text, end)}`;
  return { offset, message: `This "${bracket}" is never closed`, hint };
}

function closesAnother(text: string, opened: Opened, offset: number, closer: string): YamlFault {
  const wanted = closers[opened.bracket];
  const message = `"${closer}" stands where "${wanted}" should close the "${opened.bracket}" of line ${lineOf(text, opened.offset)}`;
  return { offset, message, hint: `Put "${wanted}" before it, or in its place` };
}

function closesNothing(offset: number, closer: string): YamlFault {
  return { offset, message: `This "${closer}" closes nothing`, hint: "Take it out, or put quotes around a text that holds it" };
}

function quoteNeverClosed(offset: number, quote: string): YamlFault {
  const within = quote === "'" ? "; within the text write ''" : '; within the text write \\"';
  return { offset, message: `This ${quote} is never closed`, hint: `Put another ${quote} at the text's end${within}` };
}

function toFault(text: string, error: YamlError): YamlFault {
  const offset = error.pos[0];
  switch (error.code) {
    case "TAB_AS_INDENT":
      return { offset, message: error.message, hint: "Indent with spaces" };
    case "BAD_INDENT":
      return {
        offset: wordAfter(text, offset),
        message: "This line is indented unlike those before it",
        hint: "Start it in the column of the line that it belongs beside",
      };
    case "BLOCK_AS_IMPLICIT_KEY":
      return { offset, message: 'The value holds ": ", as if it were a key', hint: 'Put quotes around a text that holds ": "' };
    case "MULTILINE_IMPLICIT_KEY":
      return withoutColon(text, offset);
    case "MISSING_CHAR":
      if (error.message.startsWith("Implicit map keys")) return withoutColon(text, offset);
      break;
    case "BLOCK_IN_FLOW":
      return {
        offset,
        message: 'A comma is missing here, or ": " is one too many',
        hint: 'Put a comma between the entries, or quotes around a text that holds ": "',
      };
    case "BAD_DQ_ESCAPE":
      return { offset, message: error.message, hint: "Write \\\\ for a backslash, or put the text in single quotes" };
    case "BAD_SCALAR_START":
      return { offset, message: error.message, hint: "Put quotes around this text" };
    case "UNEXPECTED_TOKEN":
      return unexpected(text, error);
    default:
      break;
  }
  return { offset, message: error.message.replace(/[.:]$/, "") };
}

/** The line below a key and its value that starts further right than the key: it was meant to be a key beside it. */
function indentedTooFar(text: string, value: number): YamlFault {
  return {
    offset: wordAfter(text, lineEnd(text, value)),
    message: "This line is indented more than the one above, which has its value already",
    hint: "Start both in the same column",
  };
}

/** Characters of a line that a message repeats. */
const shownMax = 40;

function withoutColon(text: string, offset: number): YamlFault {
  const line = text.slice(offset, lineEnd(text, offset)).trimEnd();
  if (line.startsWith("- "))
    return {
      offset,
      message: "A list item stands where a key is wanted",
      hint: "A mapping is made of `key: value`; indent the list below a key",
    };
  const shown = line.length > shownMax ? `${line.slice(0, shownMax)}…` : line;
  const [, key, value] = /^([^\s:'"]+)(?::|\s+)(\S.*)$/.exec(line) ?? [];
  if (key === undefined || line.length > shownMax)
    return { offset, message: `"${shown}" has no ":"`, hint: 'Write a key, ":", a space, and its value' };
  const message = line[key.length] === ":" ? `There is no space after the ":" of "${shown}"` : `"${shown}" has no ":"`;
  return { offset, message, hint: `Write \`${key}: ${value}\`` };
}

function unexpected(text: string, { pos: [offset], message }: YamlError): YamlFault {
  if (message === "Unexpected flow-map-start at node end")
    return { offset, message: '"{" cannot stand in a text without quotes here', hint: "Put quotes around the whole text" };
  if (message !== "Unexpected scalar at node end") return { offset, message: message.replace(/[.:]$/, "") };
  const startsLine = text.slice(text.lastIndexOf("\n", offset - 1) + 1, offset).trim() === "";
  if (startsLine) return { offset, message: "This line does not fit those above it", hint: "Check its indentation, and theirs" };
  const hint =
    text[offset - 1] === "'" ? "Within single quotes write '' for an apostrophe" : "Put quotes around all of it, or # before a comment";
  return { offset, message: "There is more text after the value's end", hint };
}

const lineOf = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

function lineEnd(text: string, offset: number): number {
  const end = text.indexOf("\n", offset);
  return end < 0 ? text.length : end;
}

/** The first character from there on that is no white space. */
function wordAfter(text: string, offset: number): number {
  const blank = /\s*/y;
  blank.lastIndex = offset;
  return offset + (blank.exec(text)?.[0].length ?? 0);
}

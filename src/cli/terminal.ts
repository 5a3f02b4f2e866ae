/** Where a command prints: results on stdout, everything said to the person on stderr. */
import { styleText } from "node:util";

export interface Stream {
  readonly isTerminal: boolean;
  /** Whether text may carry colours: on a terminal that knows them, unless `NO_COLOR` is set (no-color.org). */
  readonly colours: boolean;
  /** Writes a text and a line end. A reader that has left (EPIPE) is no error. */
  line(text: string): void;
  /** Writes bytes as they are. Resolves when more may follow: at once, or when a slow reader has taken enough. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when what was written has left the process, or nobody is there to read it. */
  flush(): Promise<void>;
}

export interface Terminal {
  readonly out: Stream;
  readonly err: Stream;
}

export type Style = "bold" | "red" | "green" | "yellow" | "cyan" | "gray";

export function openTerminal(environment: Readonly<Record<string, string | undefined>>): Terminal {
  const mayColour = (environment["NO_COLOR"] ?? "") === "" && environment["TERM"] !== "dumb";
  return { out: toStream(process.stdout, mayColour), err: toStream(process.stderr, mayColour) };
}

export function paint(stream: Stream, style: Style, text: string): string {
  return stream.colours ? styleText(style, text, { validateStream: false }) : text;
}

function toStream(target: NodeJS.WriteStream, mayColour: boolean): Stream {
  // Without a listener an EPIPE would end the process with a stack trace.
  target.on("error", () => undefined);
  const isTerminal = target.isTTY === true;
  return {
    isTerminal,
    colours: isTerminal && mayColour,
    write: (bytes) => writeAll(target, bytes),
    line: (text) => void target.write(`${text}\n`),
    flush: () => new Promise((resolve) => void target.write("", () => resolve())),
  };
}

function writeAll(target: NodeJS.WriteStream, bytes: Uint8Array): Promise<void> {
  if (target.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    // A reader that leaves takes no more, and there is nothing to wait for.
    const done = (): void => {
      target.off("drain", done).off("close", done).off("error", done);
      resolve();
    };
    target.on("drain", done).on("close", done).on("error", done);
  });
}

/** The flags of `urocket invoke`, read into what they mean. */
import { resolve } from "node:path";
import type { Complaint } from "./complaint.ts";
import { kindOfPath } from "./folder-kind.ts";
import type { RequestData } from "./invoke-http.ts";
import type { Pairs } from "./invoke-target.ts";

export interface InvokeFlags {
  /** Text, "@file", or "-" for standard input. */
  readonly data?: string;
  /** "name=value" each. */
  readonly param?: readonly string[];
  readonly query?: readonly string[];
  /** "name: value" each. */
  readonly header?: readonly string[];
  readonly url?: string;
  readonly include?: boolean;
  readonly output?: "json";
  readonly secrets?: string;
  readonly sandbox?: string;
}

/** What of the flags could be read. */
export interface ReadFlags {
  readonly parameters: Pairs;
  readonly query: Pairs;
  readonly headers: Pairs;
  readonly data: RequestData | undefined;
  readonly url: URL | undefined;
}

/** @param tell told of every flag that cannot be used. */
export function readFlags(
  { data, param = [], query = [], header = [], url }: InvokeFlags,
  tell: (complaint: Complaint) => void,
): ReadFlags {
  const pairs = (flag: string, texts: readonly string[], separator: RegExp, form: string): Pairs =>
    texts.flatMap((text) => {
      const [, name, value] = separator.exec(text) ?? [];
      if (name !== undefined && value !== undefined) return [[name, value] as const];
      tell({
        message: `Cannot use ${flag} ${JSON.stringify(text)}: it is not of the form ${form}`,
        hint: "Run 'urocket help invoke' to see how it is used.",
      });
      return [];
    });
  return {
    parameters: pairs("--param", param, /^([^=]+)=(.*)$/s, "name=value"),
    query: pairs("--query", query, /^([^=]+)=(.*)$/s, "name=value"),
    headers: pairs("--header", header, /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/, "name: value"),
    data: readData(data, tell),
    url: readUrl(url, tell),
  };
}

function readData(data: string | undefined, tell: (complaint: Complaint) => void): RequestData | undefined {
  if (data === undefined) return undefined;
  if (data === "-") return { from: "stdin" };
  if (!data.startsWith("@")) return { from: "text", text: data };
  const path = resolve(data.slice(1));
  const kind = kindOfPath(path);
  if (kind.is !== "other") {
    const why = kind.is === "folder" ? "it is a folder" : kind.is === "unreachable" ? kind.reason : "there is no such file";
    tell({ message: `Cannot send ${path}: ${why}`, hint: "Name a file behind the @, or write the data itself." });
  }
  return { from: "file", path };
}

function readUrl(text: string | undefined, tell: (complaint: Complaint) => void): URL | undefined {
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  if (url !== null && (url.protocol === "http:" || url.protocol === "https:")) return url;
  tell({
    message: `Cannot use --url ${JSON.stringify(text)}: it is not the address of a host`,
    hint: "Write one such as http://127.0.0.1:8080",
  });
  return undefined;
}

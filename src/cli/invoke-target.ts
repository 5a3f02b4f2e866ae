/**
 * Which operation or listener of an app is meant by a word or two on the command line, and the request's path with its
 * parameters in place. Pure: what an app has is passed in.
 */
import { requestPath, templateShape } from "../config/path-template.ts";
import { nearest } from "../core/suggest.ts";
import type { Complaint } from "./complaint.ts";

export interface KnownOperation {
  readonly method: string;
  /** The template, without the app's base. */
  readonly path: string;
  /** What it may be called: its operationId, and the export that serves it. */
  readonly names: readonly string[];
}

export interface Invocable {
  readonly app: string;
  /** Prefix of every path: "" or "/v1". */
  readonly base: string;
  readonly operations: readonly KnownOperation[];
  /** "tcp:1234" */
  readonly listeners: readonly string[];
  /** Whether a default export may serve paths that nothing else tells of. */
  readonly servesAnyPath: boolean;
}

/** `name=value` pairs in the order given. */
export type Pairs = readonly (readonly [name: string, value: string])[];

export interface Wanted {
  /** "addPet", "GET /pets/{petId}", "GET /pets/7", "/pets", "tcp:1234" */
  readonly operation: string;
  readonly parameters: Pairs;
  readonly query: Pairs;
}

export type InvokeTarget =
  | { readonly kind: "http"; readonly method: string; readonly path: string }
  | { readonly kind: "lines"; readonly listener: string };

export type FoundTarget =
  | { readonly ok: true; readonly target: InvokeTarget }
  | { readonly ok: false; readonly complaints: readonly Complaint[] };

export function findTarget(wanted: Wanted, invocable: Invocable): FoundTarget {
  const listener = invocable.listeners.find((name) => name === wanted.operation);
  if (listener !== undefined) return { ok: true, target: { kind: "lines", listener } };
  const request = readRequestLine(wanted.operation);
  const found = request === undefined ? byName(wanted.operation, invocable) : byRequest(request, invocable);
  if (found === undefined) return { ok: false, complaints: [unknown(wanted.operation, invocable)] };
  const filled = fill(found, wanted.parameters);
  if (!filled.ok) return filled;
  const path = filled.path + queryOf(wanted.query, filled.path);
  return { ok: true, target: { kind: "http", method: found.method, path } };
}

interface RequestLine {
  readonly method: string;
  /** A template, or a path as it is sent, with its query. */
  readonly path: string;
}

/** `GET /pets`; a path alone is asked for with GET. */
function readRequestLine(text: string): RequestLine | undefined {
  const [, method = "GET", path] = /^(?:([A-Za-z]+)\s+)?(\/\S*)$/.exec(text.trim()) ?? [];
  return path === undefined ? undefined : { method: method.toUpperCase(), path };
}

function byName(name: string, { base, operations }: Invocable): RequestLine | undefined {
  const found = operations.find((operation) => operation.names.includes(name));
  return found && { method: found.method, path: base + requestPath(found.path) };
}

/** The operation whose template is written, or which a path that is written out fits; with or without the app's base. */
function byRequest({ method, path }: RequestLine, { base, operations, servesAnyPath }: Invocable): RequestLine | undefined {
  const sameVerb = operations.filter((operation) => operation.method === method);
  const templates = sameVerb.map((operation) => requestPath(operation.path));
  const written = [path, base + path].find((candidate) =>
    templates.some(
      (template) => templateShape(base + template) === templateShape(candidate) || templateFits(base + template, requestPath(candidate)),
    ),
  );
  if (written !== undefined) return { method, path: written };
  return servesAnyPath && !path.includes("{") ? { method, path } : undefined;
}

/** Whether a path as it is sent, without its query, is one of a template's. */
export function templateFits(template: string, path: string): boolean {
  const pattern = template.split(/\{[^{}]*\}/).map((literal) => literal.replaceAll(/[.*+?^$|()[\]\\]/g, "\\$&"));
  return new RegExp(`^${pattern.join("[^/]+")}$`).test(path);
}

type Filled = { readonly ok: true; readonly path: string } | { readonly ok: false; readonly complaints: readonly Complaint[] };

function fill({ method, path }: RequestLine, parameters: Pairs): Filled {
  const names = [...path.matchAll(/\{([^{}]*)\}/g)].map((match) => match[1] ?? "");
  const values = new Map(parameters);
  const missing = names.filter((name) => !values.has(name));
  const strangers = [...values.keys()].filter((name) => !names.includes(name));
  const complaints: Complaint[] = [];
  if (missing.length > 0) {
    const hint = `Add ${missing.map((name) => `--param ${name}=VALUE`).join(" ")}`;
    complaints.push({ message: `Cannot invoke ${method} ${path}: it has no value for ${missing.join(", ")}`, hint });
  }
  for (const name of strangers) {
    const meant = nearest(name, names);
    const hint = meant === undefined ? `For the query write --query ${name}=VALUE` : `Did you mean "${meant}"?`;
    complaints.push({ message: `Cannot use --param ${name}: ${method} ${path} has no such path parameter`, hint });
  }
  if (complaints.length > 0) return { ok: false, complaints };
  return { ok: true, path: path.replaceAll(/\{([^{}]*)\}/g, (_, name: string) => encodeURIComponent(values.get(name) ?? "")) };
}

function queryOf(query: Pairs, path: string): string {
  if (query.length === 0) return "";
  const pairs = query.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`);
  return (path.includes("?") ? "&" : "?") + pairs.join("&");
}

/** Operations that are named when none of them is like what was written. */
const namedMax = 8;

function unknown(written: string, { app, base, operations, listeners }: Invocable): Complaint {
  const lines = operations.flatMap(({ method, path }) => [`${method} ${path}`, `${method} ${base}${path}`]);
  const words = [...operations.flatMap(({ names }) => names), ...lines, ...listeners];
  const meant = nearest(written, words);
  const named = [...operations.map(({ method, path, names }) => names[0] ?? `${method} ${base}${path}`), ...listeners];
  const more = named.length > namedMax ? ` and ${named.length - namedMax} more` : "";
  const all = named.length === 0 ? "It has none" : `It has ${named.slice(0, namedMax).join(", ")}${more}`;
  return {
    message: `Cannot find the operation "${written}" in ${app}`,
    hint: meant === undefined ? `${all}; \`urocket check\` shows what it serves` : `Did you mean "${meant}"?`,
  };
}

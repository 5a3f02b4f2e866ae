/**
 * From (host, path, verb) to an operation. A tree of path segments per virtual host, built once for a set of apps and
 * replaced whole when they change. Concrete paths win over templated ones, as OpenAPI asks (§4.8.8.1, path templating).
 */
import { SegmentTemplate } from "./segment-template.ts";

export interface RouteEntry<Operation> {
  /** Lower case, without a port; empty: any host. */
  readonly hosts: readonly string[];
  /** With the app's base: "/v1/pets/{petId}". */
  readonly path: string;
  /** Upper case. */
  readonly method: string;
  readonly operation: Operation;
  /** Whether it answers what lies below the path too, where nothing else does. */
  readonly below?: boolean;
}

export type RouteMatch<Operation> =
  | {
      readonly found: "operation";
      readonly operation: Operation;
      /** Raw text of the template's parameters, in order. */ readonly values: readonly string[];
    }
  | { readonly found: "path"; /** Verbs that the path has, for `Allow`. */ readonly allow: readonly string[] }
  | { readonly found: "bad-path" }
  | { readonly found: "nothing" };

interface Node<Operation> {
  readonly concrete: Map<string, Node<Operation>>;
  /** Segments with a template in them, the most literal characters first. */
  readonly templated: {
    readonly source: string;
    readonly literal: number;
    readonly pattern: SegmentTemplate | undefined;
    readonly node: Node<Operation>;
  }[];
  readonly verbs: Map<string, Operation>;
  /** Of this path and everything below it that nothing else serves. */
  readonly below: Map<string, Operation>;
}

/** The tree of a host. */
interface Root<Operation> {
  readonly node: Node<Operation>;
  /** Nodes of paths without templates, by the whole path: what the tree would find first, found at once. */
  readonly exact: Map<string, Node<Operation>>;
}

/** Two entries would answer the same requests. */
export class RouteConflict<Operation> extends Error {
  override readonly name = "RouteConflict";
  readonly first: Operation;
  readonly second: Operation;

  constructor(entry: RouteEntry<Operation>, first: Operation) {
    super(`${entry.method} ${entry.path} is served by two operations`);
    this.first = first;
    this.second = entry.operation;
  }
}

export class Router<Operation> {
  readonly #anyHost: Root<Operation> = newRoot();
  readonly #hosts = new Map<string, Root<Operation>>();

  /** @throws RouteConflict when two entries would answer the same requests. */
  constructor(entries: Iterable<RouteEntry<Operation>>) {
    for (const entry of entries) {
      if (entry.hosts.length === 0) add(this.#anyHost, entry);
      for (const host of entry.hosts) {
        let root = this.#hosts.get(host);
        if (root === undefined) this.#hosts.set(host, (root = newRoot()));
        add(root, entry);
      }
    }
  }

  /** GET also answers HEAD where HEAD has no operation of its own (RFC 9110 §9.3.2). */
  match(host: string | undefined, path: string, method: string): RouteMatch<Operation> {
    if (path.includes("%") && decode(path) === undefined) return { found: "bad-path" };
    const own = host === undefined ? undefined : this.#hosts.get(host);
    const inHost = own === undefined ? undefined : find(own, path, method);
    if (inHost !== undefined && inHost.found === "operation") return inHost;
    const inAny = find(this.#anyHost, path, method);
    return inAny.found === "nothing" && inHost !== undefined ? inHost : inAny;
  }
}

function newNode<Operation>(): Node<Operation> {
  return { concrete: new Map(), templated: [], verbs: new Map(), below: new Map() };
}

function newRoot<Operation>(): Root<Operation> {
  return { node: newNode(), exact: new Map() };
}

function add<Operation>(root: Root<Operation>, entry: RouteEntry<Operation>): void {
  let { node } = root;
  // Everything below "/" is the root's own: its first segment is a child already.
  const segments = entry.below === true && entry.path === "/" ? [] : entry.path.slice(1).split("/");
  for (const segment of segments) node = child(node, segment);
  const verbs = entry.below === true ? node.below : node.verbs;
  const held = verbs.get(entry.method);
  if (held !== undefined) throw new RouteConflict(entry, held);
  verbs.set(entry.method, entry.operation);
  if (entry.below !== true && !/[{%]/.test(entry.path)) root.exact.set(entry.path, node);
}

function child<Operation>(node: Node<Operation>, segment: string): Node<Operation> {
  if (!segment.includes("{")) {
    const key = decode(segment) ?? segment;
    let next = node.concrete.get(key);
    if (next === undefined) node.concrete.set(key, (next = newNode()));
    return next;
  }
  const source = segment.replace(/\{[^}]*\}/g, "{}");
  const known = node.templated.find((one) => one.source === source);
  if (known !== undefined) return known.node;
  const next: Node<Operation> = newNode();
  const literal = source.replaceAll("{}", "").length;
  node.templated.push({ source, literal, pattern: literal === 0 && source === "{}" ? undefined : new SegmentTemplate(source), node: next });
  node.templated.sort((a, b) => b.literal - a.literal);
  return next;
}

/** Undefined when a percent-encoding is broken (RFC 3986 §2.1). */
function decode(text: string): string | undefined {
  if (!text.includes("%")) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

const noValues: readonly string[] = [];

function find<Operation>({ node, exact }: Root<Operation>, path: string, method: string): RouteMatch<Operation> {
  const own = exact.get(path);
  const exactly = own === undefined ? undefined : verb(own.verbs, method, undefined);
  if (exactly !== undefined) return { found: "operation", operation: exactly, values: noValues };
  if (node.concrete.size === 0 && node.templated.length === 0) {
    // Everything is served alike: the path need not be cut.
    const any = verb(node.below, method, undefined);
    if (any !== undefined) return { found: "operation", operation: any, values: noValues };
  }
  // Raw text.
  const segments = path.slice(1).split("/");
  const values: string[] = [];
  const operation = walk(node, segments, 0, method, values, undefined);
  if (operation !== undefined) return { found: "operation", operation, values };
  // Once more for the verbs that there are, which nobody else asks for.
  const allow = new Set<string>();
  walk(node, segments, 0, method, [], allow);
  return allow.size > 0 ? { found: "path", allow: [...allow] } : { found: "nothing" };
}

/** Depth first: the concrete branch, then each templated one. A branch without the verb is left for the next one. */
function walk<Operation>(
  node: Node<Operation>,
  segments: readonly string[],
  at: number,
  method: string,
  values: string[],
  allow: Set<string> | undefined,
): Operation | undefined {
  return walkOn(node, segments, at, method, values, allow) ?? verb(node.below, method, allow);
}

function walkOn<Operation>(
  node: Node<Operation>,
  segments: readonly string[],
  at: number,
  method: string,
  values: string[],
  allow: Set<string> | undefined,
): Operation | undefined {
  const segment = segments[at];
  if (segment === undefined) return verb(node.verbs, method, allow);
  const concrete = node.concrete.get(decode(segment) ?? segment);
  if (concrete !== undefined) {
    const found = walk(concrete, segments, at + 1, method, values, allow);
    if (found !== undefined) return found;
  }
  if (segment === "") return undefined;
  const held = values.length;
  for (const { pattern, node: next } of node.templated) {
    if (pattern === undefined) values.push(segment);
    else {
      const parts = pattern.match(segment);
      // "{id}d" cuts "%2d" in two: what is left cannot be decoded, so this is not the template's segment.
      if (parts === undefined || parts.some((part) => decode(part) === undefined)) continue;
      values.push(...parts);
    }
    const found = walk(next, segments, at + 1, method, values, allow);
    if (found !== undefined) return found;
    values.length = held;
  }
  return undefined;
}

function verb<Operation>(verbs: ReadonlyMap<string, Operation>, method: string, allow: Set<string> | undefined): Operation | undefined {
  const found = verbs.get(method) ?? (method === "HEAD" ? verbs.get("GET") : undefined);
  if (found !== undefined || allow === undefined) return found;
  for (const name of verbs.keys()) {
    allow.add(name);
    if (name === "GET") allow.add("HEAD");
  }
  if (allow.size > 0) allow.add("OPTIONS");
  return undefined;
}

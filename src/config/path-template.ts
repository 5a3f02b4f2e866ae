/**
 * Paths with `{parameters}`, as OpenAPI writes them ("Path Templating", OpenAPI 3.1 §4.8.2). Two templates that differ in
 * nothing but the names of their parameters match the same requests.
 */

export type CheckedTemplate =
  | { readonly ok: true; readonly path: string; readonly parameters: readonly string[] }
  | { readonly ok: false; readonly message: string };

/**
 * What a path may hold beside parameters: anything that can be meant, since documents write paths in many ways. Requests are
 * compared decoded, so "/café" is "/caf%C3%A9".
 */
// oxlint-disable-next-line no-control-regex -- control characters are what it is about
const literal = /^(?:[^\u0000-\u0020\u007f%]|%[0-9A-Fa-f]{2})*$/;

/** Checks a template as a person wrote it and gives it a leading slash. The message continues a sentence that names the path. */
export function checkTemplate(written: string): CheckedTemplate {
  const path = written.startsWith("/") ? written : `/${written}`;
  const parameters: string[] = [];
  const segments = path.slice(1).split("/");
  for (const [position, segment] of segments.entries()) {
    // The last may be empty: "/" and "/pets/" are paths of their own.
    if (segment === "" && position < segments.length - 1) return refuse("has an empty segment (//)");
    if (segment === "." || segment === "..") return refuse(`has the segment "${segment}", which clients resolve before they ask`);
    const problem = readSegment(segment, parameters);
    if (problem !== undefined) return refuse(problem);
  }
  return { ok: true, path, parameters };
}

/**
 * The part of a template that a request's path can be compared with. Documents tell variants of one path apart by what
 * requests do not carry in it: "/search?type=user", "/cookies#exploded".
 */
export function requestPath(path: string): string {
  const end = path.search(/[?#]/);
  return end < 0 ? path : path.slice(0, end);
}

/** The template without its parameters' names: the same for templates that match the same paths. */
export function templateShape(path: string): string {
  return path.replaceAll(/\{[^{}]*\}/g, "{}");
}

/** What two operations share that are the same, whatever their parameters are called. */
export function operationShape({ method, path }: { readonly method: string; readonly path: string }): string {
  return `${method} ${templateShape(path)}`;
}

function readSegment(segment: string, parameters: string[]): string | undefined {
  let rest = segment;
  while (rest !== "") {
    const open = rest.indexOf("{");
    const text = open === -1 ? rest : rest.slice(0, open);
    if (text.includes("}")) return 'has a "}" without its "{"';
    if (!literal.test(text)) return `has ${JSON.stringify(illegal(text))}, which must be percent-encoded in a path`;
    if (open === -1) return undefined;
    const close = rest.indexOf("}", open);
    if (close === -1) return 'has a "{" without its "}"';
    const name = rest.slice(open + 1, close);
    if (!/^[^{}?#\s]+$/.test(name))
      return name === "" ? "has a parameter without a name: {}" : `has a parameter whose name cannot be ${JSON.stringify(name)}`;
    parameters.push(name);
    rest = rest.slice(close + 1);
  }
  return undefined;
}

function illegal(text: string): string {
  return Array.from(text).find((character) => !literal.test(character) && character !== "%") ?? "%";
}

function refuse(message: string): CheckedTemplate {
  return { ok: false, message };
}

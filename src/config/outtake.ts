/**
 * `outtake`: where a program puts its reply. The one scheme is `usocket`, which means the reply socket; what follows is
 * the path on it, with `{req_id}` where the request's id stands.
 */
import type { Shape } from "./shape.ts";
import { text } from "./shape.ts";
import type { Refusal } from "./shape.ts";
import { quoted } from "./value.ts";

export const outtakeDefault = "usocket://uri/{req_id}";

const placeholder = "{req_id}";
const supported = `Supported: usocket://<path with ${placeholder}>, such as ${outtakeDefault}`;

export const outtake: Shape<string> = text({
  expected: `a reply address such as "${outtakeDefault}"`,
  pattern: String.raw`^usocket://[^{}?#\s]*\{req_id\}[^{}?#\s]*$`,
  refuse: refuseOuttake,
});

/** The path on the reply socket: "usocket://one/two/{req_id}" → "/one/two/{req_id}". */
export function replyPathOf(checkedOuttake: string): string {
  return `/${checkedOuttake.slice("usocket://".length).replace(/^\//, "")}`;
}

/** Empty, "." and ".." segments, which clients tidy away, and what a request line cannot hold. */
const notPlain = /[{}?#\s\\]|[^\x21-\x7e]|(^|\/)\.{0,2}(\/|$)/;

function refuseOuttake(written: string): Refusal | undefined {
  const [, scheme] = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(written) ?? [];
  if (scheme === undefined) return { message: `The outtake ${quoted(written)} has no scheme`, hint: supported };
  if (scheme !== "usocket") return { message: `Unsupported outtake scheme "${scheme}"`, hint: supported };
  const [, path] = /^usocket:\/\/\/?(.*)$/s.exec(written) ?? [];
  if (path === undefined) return { message: `The outtake ${quoted(written)} lacks "//" after its scheme`, hint: supported };
  const count = path.split(placeholder).length - 1;
  if (count !== 1) {
    const times = count === 0 ? "does not hold" : "holds more than once";
    return { message: `The outtake ${quoted(written)} ${times} ${placeholder}, which names the request`, hint: supported };
  }
  if (notPlain.test(path.replace(placeholder, "id")))
    return { message: `The outtake ${quoted(written)} is not a plain path`, hint: supported };
  return undefined;
}

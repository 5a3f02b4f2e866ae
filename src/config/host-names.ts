/** `hosts`: the virtual hosts that an app answers for, as a Host header names them, without a port. */
import type { Shape } from "./shape.ts";
import { text } from "./shape.ts";
import type { Refusal } from "./shape.ts";
import { quoted } from "./value.ts";

const label = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";
const pattern = `^(?:${label}(?:\\.${label})*\\.?|\\[[0-9A-Fa-f:.]+\\])$`;
const hostName = new RegExp(pattern);

export const host: Shape<string> = text({ expected: 'a host name such as "pets.example.com"', pattern, refuse: refuseHost });

/** Lower case, without the root's dot. */
export function normalHost(checkedHost: string): string {
  return checkedHost.toLowerCase().replace(/\.$/, "");
}

function refuseHost(written: string): Refusal | undefined {
  if (hostName.test(written) && written.length <= 254) return undefined;
  const [, name, port] = /^(.*[^:]):(\d+)$/.exec(written) ?? [];
  if (port !== undefined)
    return {
      message: `The host ${quoted(written)} has a port`,
      hint: `Write ${quoted(name ?? "")}; the port is a setting of \`urocket serve\``,
    };
  if (written.includes("*"))
    return {
      message: `The host ${quoted(written)} has a wildcard, which this version of urocket does not support`,
      hint: "List the hosts, or leave `hosts` out to answer for any",
    };
  if (written.includes("/"))
    return { message: `The host ${quoted(written)} is not a host name`, hint: "Leave out the scheme and the path" };
  const ascii = asciiForm(written);
  return {
    message: `The host ${quoted(written)} is not a host name`,
    ...(ascii === undefined ? {} : { hint: `Clients send it as "${ascii}"; write that` }),
  };
}

/** What a browser makes of a name in another script ("xn--…"). */
function asciiForm(written: string): string | undefined {
  const url = URL.parse(`http://${written}/`);
  return url !== null && url.hostname !== written && hostName.test(url.hostname) ? url.hostname : undefined;
}

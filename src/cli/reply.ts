/**
 * `urocket reply`: answers a request from a program, for those that have no HTTP client at hand. It stands on a request's
 * path, so it loads nothing but itself: not the command tree, not the host.
 */
import { parseArgs } from "node:util";
import { exitCode, type ExitCode } from "./exit-code.ts";

export const replyHelp = `Usage: urocket reply [options]

Answers the request that this program was started for, with what it reads on standard input:

  echo '{"id":1}' | urocket reply --status 201

Options:
  -s, --status <code>      HTTP status of the response, 200 to 599 (default: 200)
  -t, --type <media type>  its Content-Type (default: what the contract declares)
  -H, --header <name: value>  a further header; may be given several times
  -h, --help               show this help

UROCKET_SOCKET and UROCKET_REPLY, which urocket gives to every program it starts, tell where the answer goes.
Exit codes: 0 the reply was taken, 1 it was refused or could not be sent, 2 wrong usage or not started by urocket.`;

interface Reply {
  readonly status: string;
  readonly headers: Headers;
}

/** Where to reply to. */
interface Target {
  readonly socket: string;
  readonly path: string;
}

type Read<Value> = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly message: string; readonly hint: string };

const usageHint = "Run 'urocket reply --help' to see how it is used.";

export async function reply(args: readonly string[], environment: Readonly<Record<string, string | undefined>>): Promise<ExitCode> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(replyHelp);
    return exitCode.done;
  }
  const read = readReply(args);
  if (!read.ok) return refuse(read);
  const target = findTarget(environment);
  if (!target.ok) return refuse(target);
  return send(read.value, target.value);
}

function readReply(args: readonly string[]): Read<Reply> {
  let values;
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        status: { type: "string", short: "s", default: "200" },
        type: { type: "string", short: "t" },
        header: { type: "string", short: "H", multiple: true, default: [] },
      },
    }));
  } catch (error) {
    return { ok: false, message: error instanceof Error ? error.message : String(error), hint: usageHint };
  }
  const { status, type, header } = values;
  if (!/^[2-5]\d\d$/.test(status)) {
    return {
      ok: false,
      message: `Cannot reply with status ${JSON.stringify(status)}: it is not a number from 200 to 599`,
      hint: usageHint,
    };
  }
  return readHeaders(status, type === undefined ? header : [...header, `Content-Type: ${type}`]);
}

function readHeaders(status: string, lines: readonly string[]): Read<Reply> {
  const headers = new Headers();
  for (const line of lines) {
    const colon = line.indexOf(":");
    try {
      if (colon < 1) throw new TypeError("no colon");
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim());
    } catch {
      return {
        ok: false,
        message: `Cannot reply with header ${JSON.stringify(line)}: it is not of the form "Name: value"`,
        hint: usageHint,
      };
    }
  }
  return { ok: true, value: { status, headers } };
}

function findTarget(environment: Readonly<Record<string, string | undefined>>): Read<Target> {
  const { UROCKET_SOCKET: socket = "", UROCKET_REPLY: path = "" } = environment;
  if (socket !== "" && path !== "") return { ok: true, value: { socket, path } };
  const missing = socket === "" ? "UROCKET_SOCKET" : "UROCKET_REPLY";
  const message = `Cannot reply: ${missing} is not set, so this program was not started by urocket for a request`;
  return { ok: false, message, hint: "Use it in a program that an operation's `inject:` starts." };
}

async function send({ status, headers }: Reply, { socket, path }: Target): Promise<ExitCode> {
  try {
    const answer = await fetch(`http://localhost${path}?status=${status}`, {
      unix: socket,
      method: "POST",
      headers,
      body: Bun.stdin.stream(),
      // The host ends what takes too long; a proxy of the environment has no business between us and it.
      signal: null,
      redirect: "manual",
    });
    if (answer.status === 200) return exitCode.done;
    console.error(`error: The reply was refused (${answer.status}): ${(await answer.text()).trim()}`);
  } catch (error) {
    console.error(`error: Cannot send the reply to ${socket}: ${error instanceof Error ? error.message : String(error)}`);
  }
  return exitCode.failed;
}

function refuse({ message, hint }: { readonly message: string; readonly hint: string }): ExitCode {
  console.error(`error: ${message}\n  ${hint}`);
  return exitCode.usage;
}

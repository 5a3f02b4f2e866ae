/** From `inject` to a program that can be started, with everything checked that needs the machine. */
import { payloadPlaceholder } from "../core/program-arguments.ts";
import { findUser } from "../core/users.ts";
import type { Inject } from "./app.ts";
import type { Context } from "./context.ts";
import type { ReadInject, ReadServiceFile } from "./description.ts";
import type { Located } from "./fields.ts";
import { launchFolder } from "./launch.ts";
import { quoted } from "./value.ts";

/** The app's environment goes before the program's own, which then counts. */
export function injectOf({ value }: Located<ReadInject>, app: ReadServiceFile, context: Context): Inject | undefined {
  const { cmd, user, wd } = value;
  const env = [...(app.env?.value ?? []), ...(value.env?.value ?? [])];
  const folder = launchFolder({ wd, cmd, env, meanwhile: "its requests are answered 502" }, context);
  const channel = value.channel?.value ?? "stdin";
  if (user) checkUser(user, context);
  if (cmd === undefined) return undefined;
  if (channel === "stdin" && cmd.value.some((word) => word.includes(payloadPlaceholder))) {
    context.reading.error(
      cmd.at,
      `${payloadPlaceholder} needs the payload on the command line, and the channel is stdin`,
      "Write `channel: cmdline`, or take it out of `cmd`",
    );
  }
  return {
    wd: folder,
    env,
    argv: cmd.value,
    channel,
    encoding: value.encoding?.value ?? "json",
    ...(user ? { user: user.value } : {}),
  };
}

function checkUser({ value, at }: Located<string>, { sandbox, standing, reading }: Context): void {
  if (sandbox === "container")
    reading.error(
      at,
      `A program in a container cannot run as ${quoted(value)}: it knows no user of the host`,
      "Take `user:` out: what runs in a container runs as a user of its own, without privileges",
    );
  else if (findUser(value, standing.usersFile) === undefined)
    reading.error(at, `There is no user ${quoted(value)} on this system`, "Create it, or take `user:` out");
  else if (standing.uid !== 0)
    reading.error(at, `Running a program as ${quoted(value)} needs root`, "Run urocket as root, or take `user:` out");
}

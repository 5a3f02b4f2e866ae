/**
 * The runner's process. It is started by its host with a link to connect to and a token to prove itself, and ends with
 * the link.
 */
import { helloOf } from "../link/hello.ts";
import { RunnerLink } from "./runner-link.ts";

const { UROCKET_LINK: link = "", UROCKET_TOKEN: token = "", UROCKET_INSTANCE: instance = "" } = process.env;
const { UROCKET_CONTAINER: container, UROCKET_SPARE: spare } = process.env;
const runner = new RunnerLink((status) => process.exit(status));
// The host ends its runners by the link; a terminal's Ctrl-C and a service manager's TERM reach the whole group. In a container
// TERM is meant for this one: its init hands it on.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  process.on(signal, () => (container !== undefined && signal === "SIGTERM" ? void runner.stop() : undefined));
// Whoever holds these could pose as the runner: they are not for programs and functions.
delete process.env.UROCKET_LINK;
delete process.env.UROCKET_TOKEN;
delete process.env.UROCKET_SPARE;
runner.connect(link, helloOf(token, instance), spare !== undefined).catch((error: unknown) => {
  process.stderr.write(`Cannot connect to the host at ${link}: ${String(error)}\n`);
  process.exit(1);
});

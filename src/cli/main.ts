/**
 * The `urocket` command. Commands that programs call on a request's path, or that answer at once, come first; everything
 * else loads the command tree.
 */
import { type ExitCode, exitCode } from "./exit-code.ts";

async function run(args: readonly string[]): Promise<ExitCode> {
  if (args[0] === "reply") {
    const { reply } = await import("./reply.ts");
    return reply(args.slice(1), process.env);
  }
  if (args[0] === "version" && args.length === 1) {
    const [{ openTerminal }, { tellVersion }] = await Promise.all([import("./terminal.ts"), import("./version.ts")]);
    return tellVersion(openTerminal(process.env), false);
  }
  const { runCommand } = await import("./program.ts");
  return runCommand(args, process.env);
}

try {
  process.exit(await run(process.argv.slice(2)));
} catch (error) {
  console.error(
    `error: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n  This is a defect of urocket. Please report it with the lines above.`,
  );
  process.exit(exitCode.failed);
}

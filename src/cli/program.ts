/** The command tree: names, flags and help of every command, and what each one calls. */
import { Command, CommanderError, Option } from "commander";
import { nearest } from "../core/suggest.ts";
import type { App } from "../config/app.ts";
import type { Environment, ServeFlags, ServeMode } from "../config/settings.ts";
import { complain } from "./complaint.ts";
import type { CompletedCommand, Shell } from "./completion.ts";
import type { DoctorFlags } from "./doctor.ts";
import { exitCode, type ExitCode } from "./exit-code.ts";
import type { InvokeFlags } from "./invoke-flags.ts";
import { templateNames } from "./template-names.ts";
import { openTerminal, type Terminal } from "./terminal.ts";
import type { TypesFlags } from "./types.ts";
import { tellVersion, version } from "./version.ts";

/** Known, and for versions to come. */
const laterCommands: readonly string[] = "host deploy apps ps routes logs scale rollback promote rm secret token receipts top export".split(
  " ",
);

type OutputFlag = { readonly output?: "json" };

/** Runs one command line (without the names of the interpreter and the script). */
export async function runCommand(args: readonly string[], environment: Environment): Promise<ExitCode> {
  const terminal = openTerminal(environment);
  let code: ExitCode = exitCode.done;
  const program = commandTree(environment, terminal, (ended) => {
    code = ended;
  });
  try {
    const unknown = findUnknownCommand(program, args);
    if (unknown === undefined) await program.parseAsync(args, { from: "user" });
    else code = tellUnknownCommand(program, unknown, terminal);
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Asked-for help and version end with 0; everything else that the parser stops at is wrong usage.
    code = error.exitCode === 0 ? exitCode.done : exitCode.usage;
  }
  await Promise.all([terminal.out.flush(), terminal.err.flush()]);
  return code;
}

function commandTree(environment: Environment, terminal: Terminal, end: (code: ExitCode) => void): Command {
  const program = new Command("urocket")
    .description("A serverless host for one machine: an OpenAPI document, a service file and any program make an HTTP service.")
    .version(`urocket ${version}`, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help of a command")
    .showHelpAfterError("Run 'urocket help' to see how it is used.")
    .configureOutput({
      writeOut: (text) => terminal.out.line(text.trimEnd()),
      writeErr: (text) => terminal.err.line(text.trimEnd()),
      getOutHasColors: () => terminal.out.colours,
      getErrHasColors: () => terminal.err.colours,
    })
    .exitOverride();
  program.configureHelp({ showGlobalOptions: false });

  const serve = async (mode: ServeMode, folders: readonly string[], flags: ServeFlags): Promise<void> => {
    const command = await import("./serve.ts");
    end(await command.serve(mode, folders, flags, environment, terminal));
  };
  addServing(
    program
      .command("serve")
      .summary("run apps in the foreground")
      .description("Serves the apps of these folders (default: the current one) until TERM or INT. HUP reloads them.")
      .argument("[dir...]", "folders with a service file"),
  )
    .option("--watch", "reload when a service file, a contract, or a source of functions or services changes (UROCKET_WATCH)")
    .option("--no-watch", "do not, whatever UROCKET_WATCH says")
    .option("--docs", "show the contracts at /_docs (UROCKET_DOCS)")
    .option("--no-docs", "do not, whatever UROCKET_DOCS says")
    .addOption(logOption("default: auto, pretty on a terminal"))
    .addOption(requestsOption())
    .action((folders: string[], flags: ServeFlags) => serve("serve", folders, flags));

  addServing(
    program
      .command("dev")
      .summary("run an app while writing it")
      .description(
        "Serves the app of a folder (default: the current one) and reloads it when anything of it changes. Requests are shown with what they logged, failures with their source line, contracts at /_docs.",
      )
      .argument("[dir]", "folder with a service file", "."),
  )
    .option("--docs", "show the contracts at /_docs; the default")
    .option("--no-docs", "do not (UROCKET_DOCS)")
    .addOption(logOption("default: pretty"))
    .addOption(requestsOption())
    .action((folder: string, flags: ServeFlags) => serve("dev", [folder], flags));

  program
    .command("invoke")
    .summary("call an operation of an app")
    .description(
      "Calls an operation and prints its answer. Asks the host that serves the folder, where one does; else the app is started for the call.",
    )
    .argument("<operation>", 'an operationId, a verb and a path ("GET /pets/{id}"), or a listener ("tcp:1234")')
    .argument("[dir]", "folder with a service file", ".")
    .option("-d, --data <data>", "the body: as it is, @FILE for a file's content, - for standard input")
    .option("-p, --param <name=value>", "a path parameter; may be given several times", collect)
    .option("-q, --query <name=value>", "a query parameter; may be given several times", collect)
    .option("-H, --header <name: value>", "a header; may be given several times", collect)
    .option("-i, --include", "print the status line and the headers too")
    .option("--url <url>", "ask the host at this address")
    .option("--secrets <dir>", "folder of secrets for an app that is started for the call (UROCKET_SECRETS_DIR)")
    .addOption(sandboxOption())
    .addOption(outputOption())
    .action(async (operation: string, folder: string, flags: InvokeFlags) => {
      const { invoke } = await import("./invoke.ts");
      end(await invoke(operation, folder, flags, environment, terminal));
    });

  program
    .command("check")
    .summary("find what is wrong with an app")
    .description(
      "Checks the service file and the contract of a folder (default: the current one), and shows what would be served. Exits 1 when there are errors.",
    )
    .argument("[dir]", "folder with a service file", ".")
    .addOption(sandboxOption("as if the app were confined by process or container, whatever it says").choices(["process", "container"]))
    .addOption(outputOption())
    .action(async (folder: string, { output, sandbox }: OutputFlag & { readonly sandbox?: App["sandbox"] }) => {
      const { check } = await import("./check.ts");
      end(await check(folder, output ?? "text", sandbox, terminal));
    });

  program
    .command("doctor")
    .summary("find what this machine lacks")
    .description(
      "Looks at what apps may need of this machine: limits, containers, their network. Tells how to get what is missing; exits 1 when something is.",
    )
    .option("--clean", "remove what hosts that were killed have left")
    .option("--data <dir>", "folder that apps keep data in, as of serve (UROCKET_DATA)")
    .addOption(outputOption())
    .action(async (flags: DoctorFlags) => {
      const { doctor } = await import("./doctor.ts");
      end(await doctor(flags, environment, terminal));
    });

  program
    .command("types")
    .summary("write TypeScript types of a contract")
    .description(
      "Writes what an app's contract says as TypeScript types (default: openapi.ts beside its functions), for handlers that do not compile when they disagree with it.",
    )
    .argument("[dir]", "folder with a service file, or an OpenAPI document", ".")
    .option("--out <file>", "the file to write")
    .option("--check", "write nothing, and fail when the file is not up to date")
    .action(async (path: string, flags: TypesFlags) => {
      const { types } = await import("./types.ts");
      end(await types(path, flags, terminal));
    });

  program
    .command("init")
    .summary("start an app from a template")
    .description("Makes an app in a folder (default: the current one): a service file, a contract and what serves it. Overwrites nothing.")
    .argument("[dir]", "folder to make or fill", ".")
    .option(
      "-t, --template <name>",
      "what kind of app: functions (TypeScript), scripts (sh, Python and PHP), service (an HTTP daemon) or tcp (lines over TCP)",
      "scripts",
    )
    .action(async (folder: string, { template }: { readonly template: string }) => {
      const { init } = await import("./init.ts");
      end(init(folder, template, environment, terminal));
    });

  // Run by main.ts before this tree is loaded; here for help and completion.
  program
    .command("reply")
    .summary("answer a request from a program")
    .description("Answers the request that this program was started for, with what it reads on standard input.")
    .option("-s, --status <code>", "HTTP status of the response, 200 to 599 (default: 200)")
    .option("-t, --type <media type>", "its Content-Type (default: what the contract declares)")
    .option("-H, --header <name: value>", "a further header; may be given several times");

  program
    .command("completion")
    .summary("print a completion script")
    .description("Prints a script that completes urocket's commands and flags. Load it with: source <(urocket completion bash)")
    .argument("<shell>", "bash, zsh or fish")
    .action(async (shell: string) => {
      const { completionScript, shells } = await import("./completion.ts");
      const known = shells.find((name) => name === shell);
      end(known === undefined ? tellUnknownShell(shell, shells, terminal) : tell(terminal, completionScript(known, completed(program))));
    });

  program
    .command("version")
    .summary("print the versions of urocket and of what it runs on")
    .addOption(outputOption())
    .action(({ output }: OutputFlag) => end(tellVersion(terminal, output === "json")));

  for (const command of program.commands) command.showHelpAfterError(`Run 'urocket help ${command.name()}' to see how it is used.`);
  program.addHelpText(
    "after",
    "\nExit codes: 0 done, 1 it failed (check: it found errors; doctor:\nsomething is missing), 2 wrong usage or configuration, 130 serve was ended by a second INT.",
  );
  program.action(() => {
    program.outputHelp({ error: true });
    end(exitCode.usage);
  });
  return program;
}

/** Flags that `serve` and `dev` have in common. */
function addServing(command: Command): Command {
  return command
    .option("-p, --port <port>", "TCP port, 0 for any free one (UROCKET_PORT; default: 8080)")
    .option("-a, --address <address>", "address to listen on (UROCKET_ADDRESS; default: 127.0.0.1)")
    .option("--timing", "tell each response's times in Server-Timing (UROCKET_TIMING)")
    .option("--no-timing", "do not, whatever UROCKET_TIMING says")
    .option("--spares <number>", "runners that wait for the next app that needs one (UROCKET_SPARES; default: 1, 0 below 1 GiB of memory)")
    .option("--secrets <dir>", "folder of secrets, a file each (UROCKET_SECRETS_DIR; default: CREDENTIALS_DIRECTORY)")
    .option("--data <dir>", "folder that apps keep data in (UROCKET_DATA; default: /var/lib/urocket for root)")
    .addOption(sandboxOption())
    .option("--bridge <name>", "bridge that containers are on (UROCKET_BRIDGE; default: urocket0, or the next that is free)")
    .option("--subnet <cidr>", "their addresses (UROCKET_SUBNET; default: 10.201.0.0/16, or the next that is free)")
    .option("--subnet6 <cidr>", "their IPv6 addresses (UROCKET_SUBNET6; default: a private /64)")
    .option(
      "--trusted-proxies <list>",
      "addresses and blocks whose Forwarded and X-Forwarded-* are believed (UROCKET_TRUSTED_PROXIES; default: none)",
    )
    .option("--grace <duration>", "how long open requests may go on when stopping (UROCKET_GRACE; default: 30s)");
}

const logOption = (fallback: string): Option =>
  new Option("--log <form>", `log as auto, json or pretty (UROCKET_LOG; ${fallback})`).argParser(String);

const sandboxOption = (
  description = "confine every app by process or container, whatever its service file says (UROCKET_SANDBOX)",
): Option => new Option("--sandbox <kind>", description).argParser(String);

const requestsOption = (): Option =>
  new Option("--requests <which>", "log all requests, or only those that failed (UROCKET_REQUESTS; default: all)").argParser(String);

const collect = (value: string, before: readonly string[] = []): readonly string[] => [...before, value];

const outputOption = (): Option => new Option("-o, --output <form>", "print json instead of text").choices(["json"]);

/** The first word, when it is meant as a command and is none. */
function findUnknownCommand(program: Command, args: readonly string[]): string | undefined {
  const word = args[0] === "help" ? args[1] : args[0];
  if (word === undefined || word.startsWith("-") || word === "help") return undefined;
  return program.commands.some((command) => command.name() === word) ? undefined : word;
}

function tellUnknownCommand(program: Command, word: string, { err }: Terminal): ExitCode {
  const hint = "Run 'urocket help' to see all commands.";
  const meant = nearest(word, [...program.commands.map((command) => command.name()), "help"]);
  if (laterCommands.includes(word)) complain(err, { message: `"${word}" is not part of this version (${version})`, hint });
  else complain(err, { message: `Cannot find command "${word}"${meant === undefined ? "" : `: did you mean "${meant}"?`}`, hint });
  return exitCode.usage;
}

function tellUnknownShell(shell: string, shells: readonly string[], { err }: Terminal): ExitCode {
  complain(err, { message: `Cannot complete for shell "${shell}"`, hint: `Known ones are ${shells.join(", ")}.` });
  return exitCode.usage;
}

function tell({ out }: Terminal, text: string): ExitCode {
  out.line(text);
  return exitCode.done;
}

/** What completion needs to know of the tree. */
function completed(program: Command): CompletedCommand[] {
  const names = program.commands.map((command) => command.name());
  const help: CompletedCommand = { name: "help", description: "show help of a command", flags: [], arguments: names };
  return [...program.commands.map((command) => completedCommand(command)), help];
}

function completedCommand(command: Command): CompletedCommand {
  const flags = command.options.map(({ short, long, description, required, argChoices }) => ({
    short,
    long: long ?? "",
    description: description.replace(/ \((UROCKET_|default).*\)$/, ""),
    takesValue: required,
    choices: choicesOf(long, argChoices),
  }));
  return {
    name: command.name(),
    description: command.summary(),
    flags: [...flags, { short: "-h", long: "--help", description: "show help", takesValue: false, choices: [] }],
    arguments: argumentsOf(command),
  };
}

function choicesOf(flag: string | undefined, choices: readonly string[] | undefined): readonly string[] {
  if (flag === "--sandbox") return ["process", "container"];
  if (flag === "--log") return ["auto", "json", "pretty"];
  if (flag === "--requests") return ["all", "failed"];
  return flag === "--template" ? templateNames : (choices ?? []);
}

function argumentsOf(command: Command): CompletedCommand["arguments"] {
  if (command.name() === "completion") return ["bash", "zsh", "fish"] satisfies Shell[];
  return command.registeredArguments.length > 0 ? "folders" : [];
}

/**
 * Completion scripts for bash, zsh and fish, made of the command tree. They are static: completing a word starts no
 * process. Commands, flags and the values of flags that have a few are offered, otherwise folders.
 */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

export interface CompletedFlag {
  /** "-p" and "--port". */
  readonly short?: string | undefined;
  readonly long: string;
  readonly description: string;
  readonly takesValue: boolean;
  /** All values there are. */
  readonly choices: readonly string[];
}

export interface CompletedCommand {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly CompletedFlag[];
  /** What its arguments are: folders, one of these words, or nothing. */
  readonly arguments: "folders" | readonly string[];
}

export function completionScript(shell: Shell, commands: readonly CompletedCommand[]): string {
  switch (shell) {
    case "bash":
      return bash(commands);
    case "zsh":
      return zsh(commands);
    case "fish":
      return fish(commands);
  }
}

const spellings = ({ short, long }: CompletedFlag): string[] => (short === undefined ? [long] : [short, long]);

function bash(commands: readonly CompletedCommand[]): string {
  const valueCases = (command: CompletedCommand): string[] =>
    command.flags
      .filter(({ takesValue }) => takesValue)
      .map(
        (flag) =>
          `      ${spellings(flag).join(" | ")}) COMPREPLY=(${flag.choices.length > 0 ? `$(compgen -W "${flag.choices.join(" ")}" -- "$word")` : ""}); return ;;`,
      );
  const words = (command: CompletedCommand): string =>
    command.arguments === "folders" ? '$(compgen -d -- "$word")' : `$(compgen -W "${command.arguments.join(" ")}" -- "$word")`;
  const cases = commands.flatMap((command) => [
    `    ${command.name})`,
    ...(valueCases(command).length > 0 ? ['      case "$previous" in', ...valueCases(command), "      esac"] : []),
    `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "${command.flags.flatMap(spellings).join(" ")}" -- "$word"))`,
    `      else COMPREPLY=(${words(command)}); fi ;;`,
  ]);
  return [
    "# bash completion of urocket. Load it with: source <(urocket completion bash)",
    "_urocket() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"',
    "  COMPREPLY=()",
    "  if [[ $COMP_CWORD -eq 1 ]]; then",
    `    COMPREPLY=($(compgen -W "${commands.map(({ name }) => name).join(" ")} --help --version" -- "$word"))`,
    "    return",
    "  fi",
    '  case "${COMP_WORDS[1]}" in',
    ...cases,
    "  esac",
    "}",
    "complete -o filenames -F _urocket urocket",
  ].join("\n");
}

/** For a word in single quotes inside of which `:` and `[]` mean something to zsh's _arguments. */
const zshText = (text: string): string => text.replaceAll("'", "'\\''").replaceAll(/[[\]:]/g, (character) => `\\${character}`);

function zsh(commands: readonly CompletedCommand[]): string {
  const flagLine = (flag: CompletedFlag): string => {
    const value = flag.takesValue ? `:value:${flag.choices.length > 0 ? `(${flag.choices.join(" ")})` : " "}` : "";
    const name = flag.short === undefined ? `'${flag.long}` : `'(${spellings(flag).join(" ")})'{${spellings(flag).join(",")}}'`;
    return `        ${name}[${zshText(flag.description)}]${value}' \\`;
  };
  const argumentLine = ({ arguments: words }: CompletedCommand): string =>
    words === "folders" ? "        '*:folder:_files -/' ;;" : `        '*:word:(${words.join(" ")})' ;;`;
  return [
    "#compdef urocket",
    "# zsh completion of urocket. Load it with: source <(urocket completion zsh)",
    "_urocket() {",
    "  local -a commands=(",
    ...commands.map(({ name, description }) => `    '${name}:${zshText(description)}'`),
    "  )",
    "  if (( CURRENT == 2 )); then",
    "    _describe command commands",
    "    return",
    "  fi",
    "  local command=$words[2]",
    "  shift words; (( CURRENT-- ))",
    "  case $command in",
    ...commands.flatMap((command) => [
      `    ${command.name})`,
      "      _arguments \\",
      ...command.flags.map(flagLine),
      argumentLine(command),
    ]),
    "  esac",
    "}",
    "compdef _urocket urocket",
  ].join("\n");
}

const fishText = (text: string): string => `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;

function fish(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(" ");
  const commandLines = commands.map(
    ({ name, description }) =>
      `complete -c urocket -f -n 'not __fish_seen_subcommand_from ${names}' -a ${name} -d ${fishText(description)}`,
  );
  const flagLines = commands.flatMap(({ name, flags }) =>
    flags.map(({ short, long, description, takesValue, choices }) => {
      const letter = short === undefined ? "" : ` -s ${short.slice(1)}`;
      const value = takesValue ? ` -x${choices.length > 0 ? ` -a '${choices.join(" ")}'` : ""}` : "";
      return `complete -c urocket -n '__fish_seen_subcommand_from ${name}'${letter} -l ${long.slice(2)}${value} -d ${fishText(description)}`;
    }),
  );
  const argumentLines = commands.flatMap(({ name, arguments: words }) => {
    const offered = words === "folders" ? "'(__fish_complete_directories)'" : `'${words.join(" ")}'`;
    return words.length === 0 ? [] : [`complete -c urocket -f -n '__fish_seen_subcommand_from ${name}' -a ${offered}`];
  });
  const heading = "# fish completion of urocket. Load it with: urocket completion fish | source";
  return [heading, ...commandLines, ...flagLines, ...argumentLines].join("\n");
}

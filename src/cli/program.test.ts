import { describe, expect, test } from "bun:test";
import { urocket } from "../../tests/urocket-command.ts";
import { serveVariables } from "../config/settings.ts";
import manifest from "../../package.json" with { type: "json" };

const commands = ["serve", "dev", "invoke", "check", "doctor", "types", "init", "reply", "completion", "version", "help"];

test("help lists every command and the exit codes, on stdout", async () => {
  for (const args of [["help"], ["--help"], ["-h"]]) {
    const { code, stdout, stderr } = await urocket(args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of commands) expect(stdout).toMatch(new RegExp(`^  ${command}\\b`, "m"));
    expect(stdout).toContain(
      "Exit codes: 0 done, 1 it failed (check: it found errors; doctor:\nsomething is missing), 2 wrong usage or configuration, 130 serve was",
    );
  }
});

test("without a command the help goes to stderr and it is wrong usage", async () => {
  const { code, stdout, stderr } = await urocket([]);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain("Usage: urocket");
});

describe("help of a command", () => {
  for (const command of commands.filter((name) => name !== "help")) {
    test(`is there for ${command}`, async () => {
      const { code, stdout } = await urocket(["help", command]);
      expect(code).toBe(0);
      expect(stdout).toContain(`Usage: urocket ${command}`);
    });
  }
});

test("docs/cli.md has every flag of every command, and every variable that serve reads", async () => {
  const page = await Bun.file(`${import.meta.dir}/../../docs/cli.md`).text();
  const helps = await Promise.all(commands.map(async (command) => (await urocket(["help", command])).stdout));
  const flags = new Set(helps.flatMap((help) => [...help.matchAll(/^ +(?:-\w, )?(--[a-z0-9-]+)/gm)].map(([, flag = ""]) => flag)));
  expect(flags.size).toBeGreaterThan(30);
  expect([...flags, ...serveVariables].filter((word) => word !== "--help" && !page.includes(word))).toEqual([]);
});

test("the version is the package's", async () => {
  expect(await urocket(["--version"])).toEqual({ code: 0, stdout: `urocket ${manifest.version}\n`, stderr: "" });
  expect((await urocket(["version"])).stdout).toStartWith(`urocket ${manifest.version} (bun ${Bun.version}, linux `);
  expect(JSON.parse((await urocket(["version", "-o", "json"])).stdout)).toMatchObject({ urocket: manifest.version, bun: Bun.version });
});

test("an unknown command is wrong usage and the nearest one is named", async () => {
  expect(await urocket(["serv"])).toEqual({
    code: 2,
    stdout: "",
    stderr: 'error: Cannot find command "serv": did you mean "serve"?\n  Run \'urocket help\' to see all commands.\n',
  });
  expect((await urocket(["xyzzy"])).stderr).toStartWith('error: Cannot find command "xyzzy"\n');
  expect(await urocket(["help", "chek"])).toMatchObject({ code: 2, stderr: expect.stringContaining('did you mean "check"?') });
});

test("a command of a later version is said to be one", async () => {
  const { code, stderr } = await urocket(["deploy", "--now"]);
  expect(code).toBe(2);
  expect(stderr).toStartWith(`error: "deploy" is not part of this version (${manifest.version})\n`);
});

test("an unknown flag, a missing value and an argument too many are wrong usage, with the way to the help", async () => {
  const wrong = {
    "unknown option '--prt'": ["serve", "--prt", "1"],
    "argument missing": ["serve", "--port"],
    "too many arguments": ["check", "a", "b"],
  };
  for (const [words, args] of Object.entries(wrong)) {
    const { code, stdout, stderr } = await urocket(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(words);
    expect(stderr).toContain(`Run 'urocket help ${args[0]}' to see how it is used.`);
  }
});

test("a reader of stdout that leaves early is no error", async () => {
  const script = 'set -o pipefail; "$0" help | true; "$0" completion bash | head -n 1';
  const child = Bun.spawn(["bash", "-c", script, `${import.meta.dir}/../../bin/urocket`], { stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  expect(stderr).toBe("");
  expect(stdout).toStartWith("# bash completion");
});

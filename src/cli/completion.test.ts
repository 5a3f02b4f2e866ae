import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { requireTool } from "../../tests/system-tools.ts";
import { ownEnvironment, urocket } from "../../tests/urocket-command.ts";

/** What bash offers for a command line whose last word is being typed. */
async function bashOffers(...words: string[]): Promise<string[]> {
  const script = (await urocket(["completion", "bash"])).stdout;
  const line = `COMP_WORDS=(urocket ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}; _urocket; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const child = Bun.spawnSync(["bash", "-euc", `${script}\n${line}`], { cwd: `${import.meta.dir}/../..` });
  expect(child.stderr.toString()).toBe("");
  return child.stdout
    .toString()
    .split("\n")
    .filter((word) => word !== "");
}

describe("bash", () => {
  test("completes commands", async () => {
    expect(await bashOffers("")).toEqual(
      "serve dev invoke check doctor types init reply completion version help --help --version".split(" "),
    );
    expect(await bashOffers("ch")).toEqual(["check"]);
  });

  test("completes a command's flags", async () => {
    expect(await bashOffers("serve", "--p")).toEqual(["--port"]);
    expect(await bashOffers("reply", "-")).toEqual(["-s", "--status", "-t", "--type", "-H", "--header", "-h", "--help"]);
  });

  test("completes values where there are a few, and nothing where there are many", async () => {
    expect(await bashOffers("serve", "--log", "")).toEqual(["auto", "json", "pretty"]);
    expect(await bashOffers("serve", "--sandbox", "")).toEqual(["process", "container"]);
    expect(await bashOffers("check", "-o", "j")).toEqual(["json"]);
    expect(await bashOffers("init", "-t", "")).toEqual(["functions", "scripts", "service", "tcp"]);
    expect(await bashOffers("serve", "--port", "")).toEqual([]);
  });

  test("completes folders, shells and the names of commands as arguments", async () => {
    expect(await bashOffers("serve", "templ")).toEqual(["templates"]);
    expect(await bashOffers("completion", "")).toEqual(["bash", "zsh", "fish"]);
    expect(await bashOffers("help", "ini")).toEqual(["init"]);
  });
});

for (const shell of ["zsh", "fish"] as const) {
  requireTool(shell)(`the script for ${shell} is one that ${shell} can read`, async () => {
    const script = (await urocket(["completion", shell])).stdout;
    const child = Bun.spawnSync([shell, "-n", "-c", script]);
    expect({ code: child.exitCode, stderr: child.stderr.toString() }).toEqual({ code: 0, stderr: "" });
  });

  test(`the script for ${shell} knows every command and the flags of serve`, async () => {
    const script = (await urocket(["completion", shell])).stdout;
    for (const word of ["serve", "dev", "invoke", "check", "doctor", "types", "init", "reply", "completion", "version", "help"])
      expect(script).toContain(word);
    for (const flag of ["port", "address", "timing", "watch", "grace", "log"]) expect(script).toContain(flag);
  });
}

requireTool("fish")("fish completes commands, flags and values", async () => {
  const script = (await urocket(["completion", "fish"])).stdout;
  const home = mkdtempSync(join(tmpdir(), "urocket-fish-"));
  const offers = (line: string): string[] => {
    const child = Bun.spawnSync(["fish", "--no-config", "-c", `${script}\ncomplete -C '${line}'`], {
      env: ownEnvironment({ HOME: home }),
    });
    return child.stdout
      .toString()
      .split("\n")
      .flatMap((offer) => offer.split("\t")[0] || []);
  };
  expect(offers("urocket ch")).toEqual(["check"]);
  expect(offers("urocket serve --po")).toEqual(["--port"]);
  expect(offers("urocket serve --log ")).toEqual(["auto", "json", "pretty"]);
  rmSync(home, { recursive: true });
});

test("another shell is refused with those that are known", async () => {
  expect(await urocket(["completion", "tcsh"])).toMatchObject({
    code: 2,
    stderr: 'error: Cannot complete for shell "tcsh"\n  Known ones are bash, zsh, fish.\n',
  });
  expect(await urocket(["completion"])).toMatchObject({ code: 2 });
});

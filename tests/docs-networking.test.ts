/** What docs/networking.md tells people to type is typed, in a machine of the test's own, and does what the page says. */
import { describe, expect, test } from "bun:test";
import { networkDefaults } from "../src/config/network-settings.ts";
import { root } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { requireNetwork } from "./network-bed.ts";
import { makeMachine } from "./own-network.ts";

const page = await Bun.file(`${root}/docs/networking.md`).text();
const blocks = [...page.matchAll(/```sh\n(.*?)```/gs)].map(([, commands = ""]) => commands);

/** A shell script of all the commands: a line that ends in "# fails: …" has to, and every other must not. */
function toScript(commands: string): string {
  const lines = commands.split("\n").map((line) => {
    const fails = /^(.*?)\s+# fails: /.exec(line)?.[1];
    return fails === undefined ? line : `if ${fails}; then echo "did not fail: ${fails.replaceAll('"', "'")}" >&2; exit 1; fi`;
  });
  return ["set -e", "set -x", ...lines].join("\n");
}

/** Names of namespaces and /etc are the script's own: what it makes there ends with it. */
const confined = `
  mount -t tmpfs tmpfs /mnt && cp -a /etc /mnt/etc && mount --bind /mnt/etc /etc
  mount -t tmpfs tmpfs /run/netns
  exec sh -c "$0"
`;

describe("docs/networking.md", () => {
  requireNetwork(
    "has commands that build a network by hand, and take it away",
    async () => {
      await using machine = makeMachine({ outside: true });
      const command = machine.command(["unshare", "--mount", "sh", "-e", "-c", confined, toScript(blocks.join("\n"))]);
      const run = Bun.spawn(command, {
        cwd: root,
        stdin: "ignore",
        stdout: "ignore",
        stderr: "pipe",
        timeout: 60_000,
        killSignal: "SIGKILL",
      });
      const trace = await new Response(run.stderr).text();
      expect({ status: await run.exited, end: trace.split("\n").slice(-6).join("\n") }).toMatchObject({ status: 0 });
      expect(trace.match(/^\+ ip netns exec red ping/gm)?.length).toBeGreaterThan(8);
      expect(machine.run(["nft", "list", "ruleset"])).toBe("");
      const links = (): string[] => (JSON.parse(machine.run(["ip", "-j", "link"])) as { ifname: string }[]).map(({ ifname }) => ifname);
      await eventually("the kernel has taken the cables down", () => links().join(" ") === "lo wan0");
    },
    90_000,
  );

  test("names the defaults, and links to headings that are there", () => {
    for (const value of Object.values(networkDefaults)) expect(page).toContain(`\`${value}\``);
    const slugs = [...page.matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N} -]/gu, "")
        .replaceAll(" ", "-"),
    );
    const links = [...page.matchAll(/\]\(#([^)]+)\)/g)].map(([, slug = ""]) => slug);
    expect(links.length).toBeGreaterThan(15);
    expect(links.filter((slug) => !slugs.includes(slug))).toEqual([]);
  });
});

import { describe, expect, test } from "bun:test";
import { fileURLToPath } from "node:url";
import { eventually } from "../../tests/eventually.ts";
import { requireNetwork } from "../../tests/network-bed.ts";
import { makeMachine } from "../../tests/own-network.ts";
import { afterChanges } from "./network-firewall.ts";

const one = { address: "10.201.0.2", address6: "fd75::2" };
const two = { address: "10.201.0.3" };

describe("changes of the rules", () => {
  test("make an app's chain with its first instance, and remove it with its last", () => {
    const joined = afterChanges("br", new Map(), [
      { kind: "join", app: "pets", instance: one },
      { kind: "join", app: "pets", instance: two },
    ]);
    expect(joined.script.match(/add chain inet br app-pets$/gm)?.length).toBe(1);
    expect(joined.script).toContain("add element inet br from6 { fd75::2 : jump app-pets }");
    expect([...(joined.members.get("pets")?.keys() ?? [])]).toEqual(["10.201.0.2", "10.201.0.3"]);

    const left = afterChanges("br", joined.members, [{ kind: "leave", app: "pets", instance: one }]);
    expect(left.script).toContain("delete element inet br from4 { 10.201.0.2  }");
    expect(left.script).not.toContain("delete chain");
    expect(afterChanges("br", left.members, [{ kind: "leave", app: "pets", instance: two }])).toMatchObject({
      members: new Map(),
      script: expect.stringContaining("delete chain inet br app-pets"),
    });
  });

  test("do not touch what was before them", () => {
    const before = new Map([["pets", new Map([[one.address, one]])]]);
    afterChanges("br", before, [{ kind: "leave", app: "pets", instance: one }]);
    expect(before.get("pets")?.size).toBe(1);
  });

  test("of who is not there are none", () => {
    expect(afterChanges("br", new Map(), [{ kind: "leave", app: "pets", instance: one }]).script).toBe("");
  });
});

const file = fileURLToPath(new URL("network-firewall.ts", import.meta.url));
const subnet = { version: 4, bits: String(0x0ac90000), prefix: 16 };
const source = `
  const { Firewall } = await import(${JSON.stringify(file)});
  const subnet = { ...${JSON.stringify(subnet)}, bits: BigInt(${JSON.stringify(subnet.bits)}) };
  const firewall = await Firewall.open({ bridge: "br", owner: "urocket-1-2", subnet }, 20);
  await firewall.join("pets", { address: "10.201.0.2" });
  console.log("open");
  for await (const _line of console) break;
  await firewall[Symbol.asyncDispose]();
`;

requireNetwork("rules that somebody removed are brought back, and at the end there are none", async () => {
  await using machine = makeMachine();
  const host = Bun.spawn(machine.command([process.execPath, "--no-env-file", "-e", source]), { stdin: "pipe", stdout: "pipe" });
  await host.stdout.getReader().read();
  const rules = (): string => machine.run(["nft", "list", "ruleset"]);
  const before = rules();
  expect(before).toContain("10.201.0.2 : jump app-pets");
  machine.run(["nft", "flush", "ruleset"]);
  await eventually("the rules are there again", () => rules() === before);
  void host.stdin.write("\n");
  await host.stdin.end();
  expect(await host.exited).toBe(0);
  expect(rules()).toBe("");
});

/** Networks of instances in the kernel, in machines that the tests make for themselves. */
import { describe, expect } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { appOf } from "../../tests/app-folder.ts";
import { eventually } from "../../tests/eventually.ts";
import { requireNetwork, startNetworkHost } from "../../tests/network-bed.ts";
import { machineAddress, machineAddress6, makeMachine, type OwnNetwork, outsideAddress, outsideAddress6 } from "../../tests/own-network.ts";
import { requireThat } from "../../tests/system-tools.ts";
import { askServer, tellingServer } from "../../tests/telling-server.ts";

const port = 4000;
const withPython = Bun.which("python3") === null ? requireThat(false, "python3") : requireNetwork;
const requireOldIptables = Bun.which("iptables-legacy") === null ? requireThat(false, "iptables-legacy") : requireNetwork;

describe("a slot", () => {
  requireNetwork("of an open app has addresses of the lower halves, a gateway and name servers", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const network = await host.open();
    expect(network).toMatchObject({ bridge: "urocket0", gateway: "10.201.0.1", gateway6: "fd75:726f:636b:c9::1" });
    const slot = await host.take();
    expect(slot.path).toStartWith("/run/netns/urocket-");
    expect(slot.address).toMatch(/^10\.201\.(\d|[1-9]\d|1[01]\d|12[0-7])\.\d+$/);
    expect(slot.address6).toMatch(/^fd75:726f:636b:c9::[0-9a-f]+$/);
    expect(slot.hosts).toBe(`127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n${slot.address} me\n${slot.address6} me\n`);
    expect(slot.run(["ip", "-4", "route"])).toMatch(/^default via 10\.201\.0\.1 dev eth0/);
    expect(slot.run(["cat", "/proc/sys/net/ipv4/ip_unprivileged_port_start"]).trim()).toBe("0");
    expect(slot.pings("127.0.0.1")).toBeTrue();
  });

  requireNetwork("of an internal app has addresses of the upper halves", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const slot = await host.take("internal");
    expect(slot.address).toMatch(/^10\.201\.(12[89]|1[3-9]\d|2\d\d)\.\d+$/);
    expect(slot.address6).toMatch(/^fd75:726f:636b:c9:8000::[0-9a-f]+$/);
  });

  requireNetwork("of an app without a network has a loopback and nothing else", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const { gateway } = await host.open();
    const slot = await host.take("none");
    expect([slot.address, slot.address6, slot.resolvConf]).toEqual([undefined, undefined, ""]);
    expect(slot.hosts).toContain("127.0.0.1 me\n");
    expect((JSON.parse(slot.run(["ip", "-j", "link"])) as unknown[]).length).toBe(1);
    expect(slot.pings("127.0.0.1")).toBeTrue();
    expect(slot.pings(gateway)).toBeFalse();
    await slot.join("pets");
    expect(await slot.usage()).toEqual({});
    await slot.remove();
    expect(existsSync(slot.path)).toBeFalse();
  });

  requireNetwork("reaches its host and is reached by it, by both protocols, also where sources are checked strictly", async () => {
    await using machine = makeMachine({ outside: true });
    machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/rp_filter; echo 1 > /proc/sys/net/ipv4/conf/default/rp_filter"]);
    await using host = startNetworkHost(machine);
    const { gateway, gateway6 = "" } = await host.open();
    const slot = await host.take();
    await using _inside = await tellingServer(slot, slot.address ?? "", port);
    await using _inside6 = await tellingServer(slot, slot.address6 ?? "", port);
    await using _outside = await tellingServer(machine, gateway, port);
    await using _outside6 = await tellingServer(machine, gateway6, port);
    expect(askServer(machine, slot.address, port)).toBe(gateway);
    expect(askServer(machine, slot.address6, port)).toBe(gateway6);
    expect(askServer(slot, gateway, port)).toBe(slot.address);
    expect(askServer(slot, gateway6, port)).toBe(slot.address6);
  });

  requireNetwork("counts what went in and out as the instance sees it", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    const { gateway } = await host.open();
    const slot = await host.take();
    const before = await slot.usage();
    expect(slot.attempt(["ping", "-n", "-c3", "-i0.01", "-W10", "-s1000", gateway]).ok).toBeTrue();
    machine.run(["sh", "-c", `for n in 1 2; do ping -n -c1 -W10 -s8000 ${slot.address} || exit 1; done`]);
    // The kernel's own words about addresses may come between the two looks.
    const after = await eventually("both count the same", async () => {
      const [{ stats64 }] = JSON.parse(slot.run(["ip", "-s", "-j", "link", "show", "eth0"])) as [
        { stats64: { rx: { bytes: number }; tx: { bytes: number } } },
      ];
      const usage = await slot.usage();
      return usage.networkBytesIn === stats64.rx.bytes && usage.networkBytesOut === stats64.tx.bytes && usage;
    });
    expect((after.networkBytesIn ?? 0) - (before.networkBytesIn ?? 0)).toBeGreaterThan(19_000);
  });

  requireNetwork("that was removed gives its address back, and it is not the next to be given out", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const first = await host.take("internal");
    await first.remove();
    await first.remove();
    expect(existsSync(first.path)).toBeFalse();
    const next = await Promise.all([1, 2, 3].map(() => host.take("internal")));
    expect(next.map(({ address }) => address)).not.toContain(first.address);
  });
});

describe("apps", () => {
  requireNetwork("are kept apart: instances reach their own app's, and only them", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, two, other, stranger, inner] = [
      await host.take(),
      await host.take(),
      await host.take(),
      await host.take(),
      await host.take("internal"),
    ];
    await Promise.all([one.join("pets"), two.join("pets"), other.join("pets-4"), inner.join("pets")]);
    await using _server = await tellingServer(two, two.address ?? "", port);
    await using _server6 = await tellingServer(two, two.address6 ?? "", port);
    expect(askServer(one, two.address, port)).toBe(one.address);
    expect(askServer(one, two.address6, port)).toBe(one.address6);
    expect(askServer(inner, two.address, port)).toBe(inner.address);
    for (const foreign of [other, stranger]) {
      expect(askServer(foreign, two.address, port)).toBeUndefined();
      expect(askServer(foreign, two.address6, port)).toBeUndefined();
      expect(one.pings(foreign.address)).toBeFalse();
    }
    expect(one.pings(two.address)).toBeTrue();
  });

  requireNetwork("are told at once that they may not reach each other, whatever they try", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, other] = [await host.take(), await host.take("internal")];
    await Promise.all([one.join("pets"), other.join("shop")]);
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      for (const address of [to.address ?? "", to.address6 ?? ""]) {
        const { ok, stdout } = from.attempt(["ping", "-n", "-c1", "-W5", address]);
        expect([ok, stdout]).toEqual([false, expect.stringMatching(/Packet filtered|Administratively prohibited/)]);
        expect(from.attempt(["nc", "-z", "-w5", address, "9"]).stderr).toMatch(/^$|refused/);
      }
    }
  });

  requireNetwork("are kept apart by kernels that cannot refuse before they route, too", async () => {
    await using machine = makeMachine();
    // As Linux before 5.9: all of the rules are refused, and none is there.
    using tools = appOf({
      nft: `#!/bin/sh
        [ "$1" = -f ] || exec ${Bun.which("nft")} "$@"
        script=$(cat)
        case "$script" in *"prerouting priority -150"*) echo "Error: Could not process rule: Operation not supported" >&2; exit 1;; esac
        printf '%s' "$script" | ${Bun.which("nft")} "$@"`,
    });
    await using host = startNetworkHost(machine, ["env", `PATH=${tools.folder}:${process.env["PATH"]}`]);
    await host.open();
    const [one, two, other] = [await host.take(), await host.take(), await host.take()];
    await Promise.all([one.join("pets"), two.join("pets"), other.join("shop")]);
    machine.run(["nft", "flush", "ruleset"]);
    await other.remove();
    const stranger = await host.take();
    await stranger.join("shop");
    expect(machine.run(["nft", "list", "table", "inet", "urocket0"])).not.toContain("priority -150");
    expect([one.pings(two.address), one.pings(two.address6)]).toEqual([true, true]);
    expect([one.pings(stranger.address), one.pings(stranger.address6)]).toEqual([false, false]);
  });

  withPython("do not speak to another's instances by pretending to be one of them", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, two, other] = [await host.take(), await host.take(), await host.take()];
    await Promise.all([one.join("pets"), two.join("pets"), other.join("strangers")]);
    // 15 and 78: IP_FREEBIND and IPV6_FREEBIND, which any user may set.
    const send = (family: string, level: number, option: number, from: string, to: string): string =>
      `import socket; s = socket.socket(socket.${family}, socket.SOCK_DGRAM); s.setsockopt(${level}, ${option}, 1); s.bind(("${from}", 0)); s.sendto(b"x", ("${to}", ${port}))`;
    const sends = (from: string | undefined, to: string | undefined): boolean => {
      const [family, level, option] = from?.includes(":") === true ? (["AF_INET6", 41, 78] as const) : (["AF_INET", 0, 15] as const);
      return other.attempt(["python3", "-c", send(family, level, option, from ?? "", to ?? "")]).ok;
    };
    expect(sends(other.address, one.address)).toBeTrue();
    expect(sends(other.address6, one.address6)).toBeTrue();
    expect(sends(two.address, one.address)).toBeFalse();
    expect(sends(two.address6, one.address6)).toBeFalse();
  });

  requireNetwork("do not inherit what the address was allowed to before", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, two] = [await host.take(), await host.take()];
    await Promise.all([one.join("pets"), two.join("pets")]);
    expect(machine.run(["nft", "list", "table", "inet", "urocket0"])).toContain(`${two.address} : jump app-pets`);
    await two.remove();
    const rules = machine.run(["nft", "list", "table", "inet", "urocket0"]);
    expect(rules).toContain(`${one.address} : jump app-pets`);
    expect(rules).not.toContain(`${two.address} :`);
    await one.remove();
    expect(machine.run(["nft", "list", "table", "inet", "urocket0"])).not.toContain("app-pets");
  });

  requireNetwork("are not told of shorter ways: they would not lead there", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, two] = [await host.take(), await host.take()];
    await Promise.all([one.join("pets"), two.join("pets")]);
    expect(one.run(["ping", "-n", "-c2", "-i0.01", "-W1", two.address ?? ""])).not.toContain("Redirect");
    expect(one.run(["ping", "-n", "-c2", "-i0.01", "-W1", two.address6 ?? ""])).not.toContain("Redirect");
  });

  requireNetwork("stay apart when somebody empties the machine's firewall", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    await host.open();
    const [one, two, other] = [await host.take(), await host.take(), await host.take()];
    await Promise.all([one.join("pets"), other.join("shop")]);
    machine.run(["nft", "flush", "ruleset"]);
    await two.join("pets");
    expect(one.pings(two.address)).toBeTrue();
    expect(one.pings(other.address)).toBeFalse();
    expect(one.pings(outsideAddress)).toBeTrue();
  });

  requireNetwork("that the kernel does not let together are told of, and nothing breaks", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine, ["unshare", "--mount"]);
    await host.open();
    const [one, two] = [await host.take("none"), await host.take()];
    const nft = Bun.which("nft") ?? "";
    machine.run(["nsenter", `--mount=/proc/${host.pid}/ns/mnt`, "mount", "--bind", "/bin/false", nft]);
    await Promise.all([one.join("pets"), two.join("pets")]);
    expect((await host.warnings()).at(-1)).toStartWith(
      `An instance of pets at ${two.address} and the app's others do not reach each other: `,
    );
    machine.run(["nsenter", `--mount=/proc/${host.pid}/ns/mnt`, "umount", nft]);
    await two.remove();
    expect(await host.take()).toMatchObject({ address: expect.any(String) });
  });

  requireNetwork("with a name that is none are refused", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const slot = await host.take();
    expect(slot.join("x; flush ruleset")).rejects.toThrow('Cannot let an instance join the app "x; flush ruleset"');
  });
});

describe("the outside", () => {
  requireNetwork("is reached by open instances behind the machine's address, though it knows no way back to theirs", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const { warnings } = await host.open();
    expect(warnings[0]).toStartWith("net.ipv4.ip_forward and net.ipv6.conf.all.forwarding were off and are on now, for containers");
    await using _server = await tellingServer(machine.outside, outsideAddress, port);
    await using _server6 = await tellingServer(machine.outside, outsideAddress6, port);
    const slot = await host.take();
    expect(askServer(slot, outsideAddress, port)).toBe(machineAddress);
    expect(askServer(slot, outsideAddress6, port)).toBe(machineAddress6);
  });

  requireNetwork("is not reached by internal instances, and of the host nothing but the bridge's address", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const { gateway, gateway6 } = await host.open();
    await using _servers = await tellingServer(machine, "0.0.0.0", port);
    await using _servers6 = await tellingServer(machine, "::", port + 1);
    await using _outside = await tellingServer(machine.outside, outsideAddress, port);
    const [inner, open] = [await host.take("internal"), await host.take()];
    expect(askServer(inner, gateway, port)).toBe(inner.address);
    expect(askServer(inner, gateway6, port + 1)).toBe(inner.address6);
    expect(askServer(inner, machineAddress, port)).toBeUndefined();
    expect(askServer(inner, machineAddress6, port + 1)).toBeUndefined();
    expect(askServer(inner, outsideAddress, port)).toBeUndefined();
    expect(inner.pings(outsideAddress)).toBeFalse();
    expect(inner.pings(outsideAddress6)).toBeFalse();
    // What it refuses to the one it lets pass to the other.
    expect(askServer(open, machineAddress, port)).toBe(open.address);
  });

  requireNetwork("does not reach instances, nor as one of them", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const { gateway } = await host.open();
    const slot = await host.take();
    await using _inside = await tellingServer(slot, slot.address ?? "", port);
    await using _gateway = await tellingServer(machine, gateway, port);
    machine.outside.run(["ip", "route", "add", "10.201.0.0/16", "via", machineAddress]);
    machine.outside.run(["ip", "route", "add", "fd75:726f:636b:c9::/64", "via", machineAddress6]);
    expect(askServer(machine.outside, slot.address, port, 1)).toBeUndefined();
    expect(machine.outside.attempt(["ping", "-n", "-c1", "-W1", slot.address6 ?? ""]).ok).toBeFalse();
    // As an instance: what it sends is not even looked at.
    machine.outside.run(["ip", "addr", "add", "10.201.77.77/32", "dev", "lo"]);
    machine.run(
      ["nft", "-f", "-"],
      `table inet seen {\n counter hits { }\n chain seen {\n type filter hook input priority 0;\n ip saddr 10.201.77.77 counter name hits\n }\n}\n`,
    );
    machine.outside.attempt(["ping", "-n", "-c1", "-W1", "-I", "10.201.77.77", machineAddress]);
    expect(machine.run(["nft", "list", "counter", "inet", "seen", "hits"])).toContain("packets 0 ");
  });

  requireNetwork("gets nothing of instances under false addresses", async () => {
    await using machine = makeMachine({ outside: true });
    await using host = startNetworkHost(machine);
    const { gateway } = await host.open();
    const slot = await host.take();
    const counted = "ip protocol icmp icmp type echo-request counter name hits";
    const rules = `table inet seen {\n counter hits { }\n chain in {\n type filter hook input priority 0;\n ${counted}\n }\n chain through {\n type filter hook forward priority 0;\n ${counted}\n }\n}\n`;
    machine.run(["nft", "-f", "-"], rules);
    const packets = (): number => Number(/packets (\d+)/.exec(machine.run(["nft", "list", "counter", "inet", "seen", "hits"]))?.[1]);
    for (const [from, to] of [
      ["203.0.113.7", gateway],
      ["203.0.113.7", outsideAddress],
      ["10.202.0.5", outsideAddress],
      [gateway, outsideAddress],
    ] as const) {
      slot.run(["ip", "addr", "add", `${from}/32`, "dev", "lo"]);
      slot.attempt(["ping", "-n", "-c1", "-W1", "-I", from, to]);
      slot.run(["ip", "addr", "del", `${from}/32`, "dev", "lo"]);
    }
    expect(packets()).toBe(0);
    expect(slot.pings(gateway)).toBeTrue();
    expect(packets()).toBe(1);
  });

  requireNetwork("of an instance is not the host's loopback, whatever the machine routes there", async () => {
    await using machine = makeMachine();
    machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet"]);
    await using host = startNetworkHost(machine);
    await host.open();
    const slot = await host.take();
    await using _loopback = await tellingServer(machine, "127.0.0.1", port);
    // Root inside, which no instance has: the loopback's routes go, and 127.0.0.1 is asked for over the wire.
    slot.run([
      "sh",
      "-c",
      "echo 1 > /proc/sys/net/ipv4/conf/all/route_localnet; ip addr del 127.0.0.1/8 dev lo; ip route add 127.0.0.1 via 10.201.0.1",
    ]);
    expect(slot.run(["ip", "route", "get", "127.0.0.1"])).toContain("dev eth0");
    expect(askServer(slot, "127.0.0.1", port, 1)).toBeUndefined();
    machine.run(["nft", "flush", "chain", "inet", "urocket0", "leaving-instance"]);
    expect(askServer(slot, "127.0.0.1", port)).toBe(slot.address);
  });
});

describe("a bridge", () => {
  requireNetwork.each([
    [
      "that somebody removed",
      "link del urocket0",
      /^Somebody removed the bridge urocket0: it was made anew, and \d+ instances plugged into it$/,
    ],
    ["whose addresses somebody took away", "addr flush dev urocket0", /^Somebody took its addresses from the bridge urocket0/],
  ])("%s comes back, with all that were on it", async (_, command, words) => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    const { gateway, gateway6 } = await host.open();
    const slot = await host.take();
    machine.run(["ip", ...command.split(" ")]);
    // Who finds it missing does not wait until it is looked for.
    const other = await host.take("internal");
    for (const one of [slot, other]) for (const address of [gateway, gateway6]) expect(one.pings(address)).toBeTrue();
    expect(await host.warnings()).toContainEqual(expect.stringMatching(words));
    const ports = machine.run(["bridge", "-d", "link", "show"]);
    expect(ports.match(/isolated on/g)?.length).toBe(ports.match(/master urocket0/g)?.length ?? 0);
    await host.close();
    expect(machine.run(["ip", "-br", "link"]).trim().split("\n").length).toBe(1);
  });

  requireNetwork("that somebody put in the place of ours is left alone", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    await host.take();
    machine.run(["ip", "link", "del", "urocket0"]);
    machine.run(["ip", "link", "add", "urocket0", "type", "bridge"]);
    await host.take("internal").catch(() => undefined);
    expect(await host.warnings()).toContainEqual(expect.stringContaining("somebody made another one of that name"));
    expect(machine.run(["ip", "-br", "addr", "show", "urocket0"])).not.toContain("10.201");
  });
});

describe("many at once", () => {
  requireNetwork("are made and removed, and leave nothing", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const slots = await Promise.all(Array.from({ length: 24 }, (_, at) => host.take(at % 3 === 0 ? "internal" : "open")));
    expect(new Set(slots.map(({ address }) => address)).size).toBe(24);
    await Promise.all(slots.map((slot, at) => slot.join(`app-${at % 2}`)));
    expect(slots[1]?.pings(slots[5]?.address)).toBeTrue();
    expect(slots[1]?.pings(slots[4]?.address)).toBeFalse();
    await Promise.all(slots.map((slot) => slot.remove()));
    expect(slots.some(({ path }) => existsSync(path))).toBeFalse();
    await host.close();
    expect(remains(machine, host.pid)).toEqual([]);
    expect(machine.run(["nft", "list", "ruleset"])).toBe("");
  });

  requireNetwork("of more than the subnet has addresses for are refused, with what to do", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open({ subnet: "10.77.0.0/24" });
    const taken = await Promise.allSettled(Array.from({ length: 130 }, () => host.take("internal")));
    const refused = taken.flatMap((one) => (one.status === "rejected" ? [one.reason as { message: string; hint: string }] : []));
    expect(refused.length).toBe(4);
    expect(refused[0]?.message).toBe(
      'Cannot give an instance an address: all 126 that 10.77.0.0/24 has for the network "internal" are taken',
    );
    expect(refused[0]?.hint).toContain("larger subnet");
    const freed = taken.find((one) => one.status === "fulfilled");
    await freed?.value.remove();
    expect((await host.take("internal")).address).toBe(freed?.value.address);
  });
});

describe("a host that is killed", () => {
  requireNetwork("amid its work leaves nothing that the next one does not remove", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    await host.open();
    const first = await host.take();
    await first.join("pets");
    const underway = Array.from({ length: 20 }, () => host.take("internal").catch(() => undefined));
    await underway[0];
    await host.kill();
    await Promise.all(underway);
    await using next = startNetworkHost(machine);
    // A shell that it had started may still be at it.
    const removed: string[] = [];
    for (let round = 0; round < 100 && remains(machine, host.pid).length > 0; round++) removed.push(...(await next.sweep()));
    expect(remains(machine, host.pid)).toEqual([]);
    expect(removed).toContain("bridge urocket0");
    expect(removed).toContain("nftables table urocket0");
    expect(machine.run(["nft", "list", "ruleset"])).toBe("");
    expect(await next.open()).toMatchObject({ bridge: "urocket0", gateway: "10.201.0.1" });
  });

  requireNetwork("does not harm one that lives, nor what is nobody's", async () => {
    await using machine = makeMachine();
    machine.run(["ip", "-batch", "-"], "link add urocket0 type bridge\naddr add 10.201.0.1/24 dev urocket0\nlink set urocket0 up\n");
    machine.run(["nft", "add", "table", "inet", "urocket1"]);
    await using dead = startNetworkHost(machine);
    expect(await dead.open()).toMatchObject({ bridge: "urocket2", gateway: "10.202.0.1" });
    await using alive = startNetworkHost(machine);
    expect(await alive.open()).toMatchObject({ bridge: "urocket3", gateway: "10.203.0.1" });
    const slot = await alive.take();
    await dead.kill();
    await using sweeper = startNetworkHost(machine);
    expect(await sweeper.leftovers()).toContain("bridge urocket2");
    expect(await sweeper.sweep()).not.toContain("bridge urocket3");
    // Names of namespaces are the whole machine's: another test's killed host may have left some just now.
    expect((await sweeper.sweep()).filter((what) => !what.startsWith("network namespace"))).toEqual([]);
    expect(slot.pings("10.203.0.1")).toBeTrue();
    const links = machine.run(["ip", "-br", "link"]);
    expect(links).toContain("urocket0");
    expect(links).not.toContain("urocket2");
    expect(machine.run(["nft", "list", "tables"])).toBe("table inet urocket1\ntable inet urocket3\n");
  });
});

describe("hosts that start at the same time", () => {
  requireNetwork("each have a bridge and subnets of their own", async () => {
    await using machine = makeMachine();
    await using one = startNetworkHost(machine);
    await using two = startNetworkHost(machine);
    await using three = startNetworkHost(machine);
    const opened = await Promise.all([one.open(), two.open(), three.open()]);
    for (const what of ["bridge", "gateway", "gateway6"] as const) expect(new Set(opened.map((network) => network[what])).size).toBe(3);
    const [left, right] = [await one.take(), await two.take()];
    await Promise.all([left.join("pets"), right.join("pets")]);
    expect(left.pings(right.address)).toBeFalse();
  });
});

describe("a subnet", () => {
  requireNetwork("that was chosen and is in use is refused, with who has it", async () => {
    await using machine = makeMachine({ outside: true });
    machine.run(["ip", "-batch", "-"], "addr add 10.9.8.1/24 dev wan0\nroute add 10.0.0.0/8 via 198.51.100.1\n");
    await using host = startNetworkHost(machine);
    expect(host.open({ subnet: "10.9.0.0/16" })).rejects.toThrow(
      "Cannot use the subnet 10.9.0.0/16 for containers: it is in use: 10.9.8.0/24 is wan0's",
    );
    expect(await host.open({ subnet: "10.10.0.0/16" })).toMatchObject({ gateway: "10.10.0.1" });
    await host.close();
    expect(machine.run(["ip", "-br", "link"])).not.toContain("urocket");
  });

  requireNetwork("that is none is refused", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    expect(host.open({ subnet: "10.9.8.0/16" })).rejects.toThrow('Cannot use "10.9.8.0/16" for the network of containers');
    expect(host.open({ bridge: "a bridge" })).rejects.toThrow('Cannot use "a bridge" for the network of containers');
  });
});

describe("a machine", () => {
  requireNetwork("without IPv6 has instances without it", async () => {
    await using machine = makeMachine({ outside: true });
    machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6"]);
    await using host = startNetworkHost(machine);
    const { gateway6, warnings } = await host.open();
    expect([gateway6, warnings.filter((warning) => warning.includes("ipv6"))]).toEqual([undefined, []]);
    const slot = await host.take();
    expect(slot.address6).toBeUndefined();
    expect(slot.pings(outsideAddress)).toBeTrue();
    expect(slot.run(["ip", "-6", "addr", "show", "dev", "eth0"])).toBe("");
    expect((await host.examine()).find(({ what }) => what === "IPv6")).toMatchObject({ state: "limited" });
  });

  requireNetwork("that listens to routers goes on listening when it is made one", async () => {
    await using machine = makeMachine({ outside: true });
    machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/wan0/accept_ra"]);
    await using host = startNetworkHost(machine);
    await host.open();
    expect(machine.run(["cat", "/proc/sys/net/ipv6/conf/all/forwarding", "/proc/sys/net/ipv6/conf/wan0/accept_ra"])).toBe("1\n2\n");
  });

  requireNetwork("whose sysctls are locked says which to set, and its host still reaches instances", async () => {
    await using machine = makeMachine({ outside: true });
    const locking =
      'mount --make-rprivate /proc && mount --bind /proc/sys /proc/sys && mount -o remount,ro,bind /proc/sys && exec "$0" "$@"';
    const locked = ["unshare", "--mount", "--propagation", "unchanged", "sh", "-c", locking];
    await using host = startNetworkHost(machine, locked);
    const { gateway, warnings } = await host.open();
    expect(warnings[0]).toBe(
      'net.ipv4.ip_forward is off and cannot be switched on (the file system is read-only): instances in containers reach neither the outside nor each other; run "sysctl -w net.ipv4.ip_forward=1" where that is allowed',
    );
    const slot = await host.take();
    expect(slot.pings(gateway)).toBeTrue();
    expect(slot.pings(outsideAddress)).toBeFalse();
    const forwarding = (await host.examine()).find(({ what }) => what === "forwarding");
    expect(forwarding).toMatchObject({ state: "limited", fix: expect.stringContaining("sysctl -w net.ipv4.ip_forward=1") });
  });

  requireNetwork("whose own firewall forwards nothing is told of, until it has a rule for the bridge", async () => {
    await using machine = makeMachine({ outside: true });
    machine.run(
      ["nft", "-f", "-"],
      "table ip filter {\n chain FORWARD {\n type filter hook forward priority 0; policy drop;\n }\n chain DOCKER-USER { }\n}\n",
    );
    await using host = startNetworkHost(machine);
    const { warnings } = await host.open();
    expect(warnings.at(-1)).toContain(
      "the chain FORWARD of the nftables table ip filter drops what no rule of it accepts; let them through by",
    );
    const fix = (await host.examine()).find(({ what }) => what === "firewall")?.fix ?? "";
    expect(fix).toBe("iptables -I DOCKER-USER -i urocket0 -j ACCEPT; iptables -I DOCKER-USER -o urocket0 -j ACCEPT");
    const slot = await host.take();
    expect(slot.pings(outsideAddress)).toBeFalse();
    machine.run(["nft", "add", "rule", "ip", "filter", "FORWARD", "jump", "DOCKER-USER"]);
    for (const direction of ["iifname", "oifname"])
      machine.run(["nft", "add", "rule", "ip", "filter", "DOCKER-USER", direction, "urocket0", "accept"]);
    expect(slot.pings(outsideAddress)).toBeTrue();
    expect((await host.examine()).find(({ what }) => what === "firewall")?.state).toBe("ok");
  });

  requireOldIptables("whose firewall is the old iptables' is told of its own tool", async () => {
    await using machine = makeMachine();
    machine.run(["iptables-legacy", "-P", "FORWARD", "DROP"]);
    await using host = startNetworkHost(machine);
    const firewall = async () => (await host.examine()).find(({ what }) => what === "firewall");
    const fix = "iptables-legacy -I FORWARD -i urocket0 -j ACCEPT; iptables-legacy -I FORWARD -o urocket0 -j ACCEPT";
    expect(await firewall()).toMatchObject({ state: "limited", fix });
    machine.run(["sh", "-c", fix]);
    expect(await firewall()).toMatchObject({ state: "ok" });
  });

  requireNetwork("where new links begin without IPv6 has instances without it", async () => {
    await using machine = makeMachine();
    machine.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"]);
    await using host = startNetworkHost(machine);
    expect((await host.open()).gateway6).toBeUndefined();
    expect((await host.take()).address6).toBeUndefined();
  });

  requireNetwork("where root may not change the network says what to give it", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine, ["setpriv", "--bounding-set", "-net_admin", "--inh-caps", "-net_admin"]);
    const permission = (await host.examine()).find(({ what }) => what === "network permission");
    expect(permission).toMatchObject({ state: "missing", detail: "root lacks CAP_NET_ADMIN: no bridge can be made" });
    const failure = (await host.open().catch((error: unknown) => error)) as { message: string; hint: string };
    expect(failure.message).toStartWith("Cannot connect containers: ");
    expect(failure.hint).toContain("CAP_NET_ADMIN");
  });

  requireNetwork("with all that is needed is found to be well", async () => {
    await using machine = makeMachine();
    await using host = startNetworkHost(machine);
    const findings = await host.examine();
    expect(findings.filter(({ state, what }) => state !== "ok" && what !== "name resolution")).toEqual([]);
    expect(findings.map(({ what }) => what)).toEqual([
      "network tools",
      "network permission",
      "bridge",
      "nftables",
      "forwarding",
      "IPv6",
      "firewall",
      "name resolution",
    ]);
    // It was tried out elsewhere.
    expect(machine.run(["ip", "-br", "link"]).trim().split("\n").length).toBe(1);
  });
});

/** Names of what a host has in the kernel: its namespaces, and links and bridges of anybody's but the loopback and the outside. */
function remains(machine: OwnNetwork, pid: number): string[] {
  const links = machine
    .run(["ip", "-br", "link"])
    .split("\n")
    .map((line) => line.split(/[\s@]/)[0] ?? "");
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns").filter((name) => name.startsWith(`urocket-${pid}-`)) : [];
  return [...links.filter((name) => !["", "lo", "wan0"].includes(name)), ...namespaces];
}

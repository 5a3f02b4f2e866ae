import { describe, expect, test } from "bun:test";
import { hostsLines, resolving } from "./network-names.ts";

const open = { mode: "open", gateway: "10.201.0.1", ipv6: true } as const;
const stub = "# made by systemd-resolved\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch lan\n";

describe("an instance's resolv.conf", () => {
  test("has the machine's own servers and options", () => {
    const own = "# a comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.com lan\noptions ndots:2\n";
    expect(resolving(own, "", open)).toEqual({
      lines: "nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example.com lan\noptions ndots:2\n",
    });
  });

  test("has those that systemd-resolved asks, where it stands on the loopback", () => {
    expect(resolving(stub, "nameserver 192.0.2.53\nsearch lan\n", open)).toEqual({ lines: "nameserver 192.0.2.53\nsearch lan\n" });
  });

  test("has the bridge's address where the machine's resolver is on the loopback, and it is said what to do", () => {
    const { lines, problem } = resolving("nameserver 127.0.0.1\n", "", open);
    expect(lines).toBe("nameserver 10.201.0.1\n");
    expect(problem).toStartWith(
      "Names do not resolve in containers: /etc/resolv.conf names only 127.0.0.1, which instances cannot reach; let a resolver listen on 10.201.0.1 too",
    );
    expect(resolving("", "", open).problem).toContain("/etc/resolv.conf names no server");
  });

  test("leaves out servers that cannot be reached from inside", () => {
    const own = "nameserver fe80::1%eth0\nnameserver 127.0.0.1\nnameserver 2001:db8::53\nnameserver 192.0.2.53\n";
    expect(resolving(own, "", { ...open, ipv6: false }).lines).toBe("nameserver 192.0.2.53\n");
    expect(resolving(own, "", open).lines).toBe("nameserver 2001:db8::53\nnameserver 192.0.2.53\n");
  });

  test("has three servers at the most, as libc does", () => {
    const own = [1, 2, 3, 4].map((n) => `nameserver 192.0.2.${n}\n`).join("");
    expect(resolving(own, "", open).lines.match(/nameserver/g)?.length).toBe(3);
  });

  test("of an internal app names no server outside, and without a network it is empty", () => {
    const own = "nameserver 192.0.2.53\nsearch lan\n";
    expect(resolving(own, "", { ...open, mode: "internal" })).toEqual({ lines: "search lan\n" });
    expect(resolving("nameserver 127.0.0.1\n", "", { ...open, mode: "internal" })).toEqual({ lines: "nameserver 10.201.0.1\n" });
    expect(resolving(own, "", { ...open, mode: "none" })).toEqual({ lines: "" });
  });
});

test("an instance knows its own name by its addresses, or by its loopback", () => {
  expect(hostsLines("web", ["10.201.0.2"])).toBe("127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n10.201.0.2 web\n");
  expect(hostsLines("web", [])).toEndWith("\n127.0.0.1 web\n");
});

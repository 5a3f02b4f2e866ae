import { describe, expect, test } from "bun:test";
import { readTrustedProxies, trustedProxiesMax } from "./trusted-proxies.ts";

function trusts(blocks: readonly string[], address: string): boolean {
  const read = readTrustedProxies(blocks);
  if (!read.ok) throw new Error(read.problem);
  return read.proxies.has(address);
}

describe("trusted proxies", () => {
  test.each([
    [["10.0.0.0/8"], "10.255.0.1", true],
    [["10.0.0.0/8"], "11.0.0.1", false],
    [["192.0.2.7"], "192.0.2.7", true],
    [["192.0.2.7"], "192.0.2.8", false],
    [["fd00::/8", "::1"], "fd12::1", true],
    [["fd00::/8", "::1"], "::1", true],
    [["fd00::/8"], "2001:db8::1", false],
    [["0.0.0.0/0"], "203.0.113.5", true],
    [["0.0.0.0/0"], "2001:db8::1", false],
    [["10.0.0.0/8"], "unknown", false],
    [["10.0.0.0/8"], "_10.0.0.1", false],
    [[], "127.0.0.1", false],
  ] as const)("%j hold %s: %p", (blocks, address, held) => {
    expect(trusts(blocks, address)).toBe(held);
  });

  test.each([
    "",
    "10.0.0",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0.0/8/8",
    "fd00::/129",
    "proxy.example",
    "fe80::1%eth0",
    "10.0.0.0/255.0.0.0",
  ])("%j is none, and is named", (block) => {
    const read = readTrustedProxies(["127.0.0.1", block]);
    expect(read).toMatchObject({ ok: false });
    if (!read.ok) expect(read.problem).toStartWith(`The trusted proxy "${block}" `);
  });

  test("are so many, and no more", () => {
    expect(readTrustedProxies(Array.from({ length: trustedProxiesMax }, () => "10.0.0.1"))).toMatchObject({ ok: true });
    expect(readTrustedProxies(Array.from({ length: trustedProxiesMax + 1 }, () => "10.0.0.1"))).toMatchObject({ ok: false });
  });
});

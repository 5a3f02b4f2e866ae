import { describe, expect, test } from "bun:test";
import { addressAt, following, formatCidr, halves, macOf, sizeOf, toCidr } from "./network-cidr.ts";

describe("a subnet", () => {
  test("has halves, and a follower of its size", () => {
    expect(halves(toCidr("10.201.0.0/16")).map(formatCidr)).toEqual(["10.201.0.0/17", "10.201.128.0/17"]);
    expect(halves(toCidr("fd75:726f:636b:c9::/64")).map(formatCidr)).toEqual(["fd75:726f:636b:c9::/65", "fd75:726f:636b:c9:8000::/65"]);
    expect(formatCidr(following(toCidr("10.201.0.0/16")))).toBe("10.202.0.0/16");
    expect(formatCidr(following(toCidr("fd75:726f:636b:ff::/64")))).toBe("fd75:726f:636b:100::/64");
  });

  test("has addresses by number", () => {
    expect(addressAt(toCidr("10.201.0.0/16"), 1n)).toBe("10.201.0.1");
    expect(addressAt(toCidr("10.201.0.0/16"), 65_535n)).toBe("10.201.255.255");
    expect(addressAt(toCidr("fd75::/64"), 258n)).toBe("fd75::102");
    expect(sizeOf(toCidr("10.201.0.0/24"))).toBe(256n);
  });

  test("that is none throws", () => {
    expect(() => toCidr("10.201.0.1/16")).toThrow('"10.201.0.1/16"');
  });
});

test("an Ethernet address of an IPv4 address is local, and no group's", () => {
  expect(macOf("10.201.0.255")).toBe("02:75:0a:c9:00:ff");
});

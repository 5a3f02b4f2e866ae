import { describe, expect, test } from "bun:test";
import { bridgeNames, candidates, freeSubnet, holderOf, type Route, toRoutes } from "./network-bridge.ts";
import { formatCidr, toCidr } from "./network-cidr.ts";

const route = (to: string, device = "eth1"): Route => ({ to: toCidr(to), device });
const standard = candidates("10.201.0.0/16", "10.201.0.0/16", ["172.24.0.0/16"]);
const free = (...routes: readonly Route[]): string | undefined => {
  const found = freeSubnet(standard, routes);
  return found === undefined ? undefined : formatCidr(found);
};

describe("names of bridges", () => {
  test("count on from the default", () => {
    expect(bridgeNames("urocket0").slice(0, 3)).toEqual(["urocket0", "urocket1", "urocket2"]);
  });

  test("that somebody chose have no followers", () => {
    expect(bridgeNames("apps")).toEqual(["apps"]);
    expect(bridgeNames("urocket1")).toEqual(["urocket1"]);
  });
});

describe("the subnet", () => {
  test("is the default while nobody has it, then the next, then one of other private blocks", () => {
    expect(free()).toBe("10.201.0.0/16");
    expect(free(route("10.201.7.0/24"), route("10.202.0.1/32"))).toBe("10.203.0.0/16");
    expect(free(route("10.0.0.0/8"))).toBe("172.24.0.0/16");
  });

  test("is within a wider one where everything is, and never what somebody has", () => {
    const vpn = [route("10.0.0.0/8", "tun0"), route("172.16.0.0/12", "tun0")];
    expect(free(...vpn)).toBe("10.201.0.0/16");
    expect(free(...vpn, route("10.201.0.0/16"))).toBe("10.202.0.0/16");
    expect(free(...standard.map((to) => ({ to, device: "eth1" })))).toBeUndefined();
  });

  test("that somebody chose has no followers", () => {
    expect(candidates("10.9.0.0/16", "10.201.0.0/16", ["172.24.0.0/16"]).map(formatCidr)).toEqual(["10.9.0.0/16"]);
  });

  test("is whose route leads into it", () => {
    expect(holderOf(toCidr("10.9.0.0/16"), [route("10.0.0.0/8", "tun0"), route("10.9.8.0/24", "docker0")])?.device).toBe("docker0");
    expect(holderOf(toCidr("10.9.0.0/16"), [route("10.0.0.0/8", "tun0")])).toBeUndefined();
  });
});

test("routes are read as ip lists them; defaults, groups and those without a device say nothing", () => {
  const list = [
    { dst: "default", gateway: "192.0.2.1", dev: "eth0" },
    { dst: "192.0.2.0/24", dev: "eth0" },
    { type: "local", dst: "192.0.2.2", dev: "eth0", table: "local" },
    { type: "multicast", dst: "ff00::/8", dev: "eth0" },
    { type: "unreachable", dst: "10.0.0.0/8" },
    { dst: "fd00::1", dev: "eth0" },
    "nothing",
  ];
  expect(toRoutes(list).map(({ to, device }) => `${formatCidr(to)} ${device}`)).toEqual([
    "192.0.2.0/24 eth0",
    "192.0.2.2/32 eth0",
    "fd00::1/128 eth0",
  ]);
});

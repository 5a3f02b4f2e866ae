import { describe, expect, test } from "bun:test";
import { advice, type Chain, parseChains, refusingChains } from "./network-other-firewalls.ts";

const forward = (table: string, name: string, family = "ip"): Chain => ({ family, table, name, hook: "forward", policy: "drop" });
const named = (table: string, name: string, family = "ip"): Chain => ({ family, table, name });

test("chains are read as nft lists them", () => {
  const json = `{"nftables": [{"metainfo": {"version": "1.0.6"}},
    {"chain": {"family": "ip", "table": "filter", "name": "FORWARD", "handle": 1, "type": "filter", "hook": "forward", "prio": 0, "policy": "drop"}},
    {"chain": {"family": "ip", "table": "filter", "name": "DOCKER-USER", "handle": 2}}]}`;
  expect(parseChains(json)).toEqual([forward("filter", "FORWARD"), named("filter", "DOCKER-USER")]);
});

test("those that drop what is forwarded are in the way, and firewalld's", () => {
  const firewalld: Chain = { family: "inet", table: "firewalld", name: "filter_FORWARD", hook: "forward", policy: "accept" };
  const open: Chain = { family: "inet", table: "urocket0", name: "through-host", hook: "forward", policy: "accept" };
  const bridged: Chain = { ...forward("filter", "FORWARD"), family: "bridge" };
  expect(refusingChains([forward("filter", "FORWARD"), open, firewalld, bridged])).toEqual([forward("filter", "FORWARD"), firewalld]);
});

describe("what to type for a firewall", () => {
  const told = (chain: Chain, ...others: readonly Chain[]): string => advice(chain, [chain, ...others], "urocket0");

  test("is what its own tool wants", () => {
    expect(told(forward("filter", "FORWARD"), named("filter", "DOCKER-USER"))).toBe(
      "iptables -I DOCKER-USER -i urocket0 -j ACCEPT; iptables -I DOCKER-USER -o urocket0 -j ACCEPT",
    );
    expect(told(forward("filter", "FORWARD"), named("filter", "ufw-user-forward"))).toBe(
      "ufw route allow in on urocket0; ufw route allow out on urocket0; ufw allow in on urocket0",
    );
    expect(told(forward("filter", "FORWARD", "ip6"))).toBe(
      "ip6tables -I FORWARD -i urocket0 -j ACCEPT; ip6tables -I FORWARD -o urocket0 -j ACCEPT",
    );
    expect(told(forward("firewalld", "filter_FORWARD", "inet"))).toBe(
      "firewall-cmd --permanent --zone=trusted --add-interface=urocket0 && firewall-cmd --reload",
    );
    expect(told(forward("mine", "through", "inet"))).toBe(
      "nft insert rule inet mine through iifname urocket0 accept; nft insert rule inet mine through oifname urocket0 accept",
    );
  });
});

import { expect, test } from "bun:test";
import { bytesOf, linkNames, parseLinks } from "./network-usage.ts";

const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
ur3-17:2000000000000  9    0    0    0     0          0         0       42       7    0    0    0     0       0          0
`;

test("bytes are read of every link", () => {
  expect([...parseLinks(text)]).toEqual([
    ["lo", { received: 100, sent: 100 }],
    ["ur3-17", { received: 2_000_000_000_000, sent: 42 }],
  ]);
});

test("the loopback is there, and what is not there has no bytes", () => {
  expect(linkNames()).toContain("lo");
  expect(bytesOf("lo")?.received).toBeGreaterThanOrEqual(0);
  expect(bytesOf("ur0-none")).toBeUndefined();
});

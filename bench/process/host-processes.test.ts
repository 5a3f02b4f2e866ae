import { describe, expect, test } from "bun:test";
import { argumentsOf, hostProcesses, instanceIn, instancesOf } from "./host-processes.ts";

const instance = "792d70d9-8c7b-4b36-94a7-2fd88fbce93b";

describe("the instance of a process", () => {
  test("is told by its control groups, of version 1", () => {
    const text = `9:name=systemd:/\n8:pids:/urocket-146-2626578-${instance}\n4:memory:/a/b/urocket-146-2626578-${instance}/slot-1\n0::/\n`;
    expect(instanceIn(text, 146)).toBe(`urocket-146-2626578-${instance}`);
  });
  test("is told by its control group, of version 2", () => {
    expect(instanceIn(`0::/system.slice/urocket-146-9-${instance}\n`, 146)).toBe(`urocket-146-9-${instance}`);
  });
  test("of another host is none of this one's, whose number only begins like it", () => {
    expect(instanceIn(`0::/urocket-1467-9-${instance}\n`, 146)).toBeUndefined();
  });
});

test("a process without instances is a host of its own processes", async () => {
  const child = Bun.spawn(["cat", "-"], { stdin: "pipe" });
  expect(hostProcesses(process.pid).map(({ pid }) => pid)).toContain(child.pid);
  expect(instancesOf(child.pid).size).toBe(0);
  expect(argumentsOf(child.pid).slice(0, 2)).toEqual(["cat", "-"]);
  await child.stdin.end();
  await child.exited;
  expect(argumentsOf(child.pid)).toEqual([""]);
});

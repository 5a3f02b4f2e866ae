import { expect, test } from "bun:test";
import { examineLimits, limitsNotHeldHere } from "./limits-examine.ts";

const nothing = { membership: "", mounts: "" };
const limits = { memoryBytesMax: 64 * 1024 * 1024, cpuMax: 0.5, pidsMax: 64 };

test("each controller has a finding, with what to do where it cannot be used", () => {
  const findings = examineLimits(nothing);
  expect(findings.map(({ what }) => what)).toEqual(["memory limits", "CPU limits", "process limits"]);
  for (const finding of findings) {
    expect(finding).toMatchObject({
      state: "limited",
      detail: expect.stringContaining("no control group hierarchy"),
      fix: expect.any(String),
    });
  }
});

test("a Raspberry Pi is told what its command line lacks", () => {
  const kernel = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpu\t0\t1\t1\nmemory\t0\t1\t0\npids\t0\t1\t1\n";
  const [memory] = examineLimits({ ...nothing, kernel });
  expect(memory?.detail).toContain("the kernel runs without its memory controller");
  expect(memory?.fix).toContain("cgroup_enable=memory");
});

test("only what is stated and cannot be held has a sentence", () => {
  expect(limitsNotHeldHere({}, "process", nothing)).toEqual([]);
  expect(limitsNotHeldHere({ pidsMax: 64 }, "process", nothing)).toEqual([
    "limits.pids of 64 is not held: no control group hierarchy with the pids controller is mounted",
  ]);
  expect(limitsNotHeldHere(limits, "process", nothing)).toHaveLength(3);
});

test("what this machine says of itself is what instances are told", () => {
  const held = examineLimits().every(({ detail }) => !detail.includes("is not held"));
  expect(limitsNotHeldHere(limits, "process").length === 0).toBe(held);
});

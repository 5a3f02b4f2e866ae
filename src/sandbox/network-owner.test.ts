import { describe, expect, test } from "bun:test";
import { processStart } from "./process-figures.ts";
import { isLeftover, ownerMark } from "./network-owner.ts";

const start = processStart(process.pid) ?? 0;

describe("a mark", () => {
  test("names a host by its pid and start time", () => {
    expect(ownerMark()).toMatch(new RegExp(`^urocket-${process.pid}-${start}(-p\\d+)?$`));
    expect(isLeftover(`${ownerMark()}-7`)).toBeFalse();
  });

  test("of a pid that is somebody else's by now, or nobody's, is of a host that is gone", async () => {
    const gone = Bun.spawn(["true"]);
    const mark = ownerMark().replace(`${process.pid}-${start}`, `${gone.pid}-${start}`);
    await gone.exited;
    expect(isLeftover(mark)).toBeTrue();
    expect(isLeftover(ownerMark().replace(`-${start}`, `-${start + 1}`))).toBeTrue();
  });

  test("of another pid namespace says nothing here, nor does what is no mark", () => {
    for (const name of ["urocket-1-1-p1-7", "urocket0", "urocket-1", "urocket-x-1", "docker0", "", "my-urocket-1-1"])
      expect(isLeftover(name)).toBeFalse();
  });
});

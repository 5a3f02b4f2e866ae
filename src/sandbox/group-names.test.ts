import { describe, expect, test } from "bun:test";
import { processStart } from "./process-figures.ts";
import { groupName, isAbandoned, ownerMark } from "./group-names.ts";

const start = processStart(process.pid) ?? 0;

describe("a mark", () => {
  test("names a host by its pid and start time", () => {
    expect(ownerMark()).toMatch(new RegExp(`^urocket-${process.pid}-${start}(-p\\d+)?$`));
    expect(isAbandoned(`${ownerMark()}-7`)).toBeFalse();
    expect(groupName("an-instance")).toBe(`${ownerMark()}-an-instance`);
  });

  test("of a pid that is somebody else's by now, or nobody's, is of a host that is gone", async () => {
    const gone = Bun.spawn(["true"]);
    const mark = ownerMark().replace(`${process.pid}-${start}`, `${gone.pid}-${start}`);
    await gone.exited;
    expect(isAbandoned(mark)).toBeTrue();
    expect(isAbandoned(ownerMark().replace(`-${start}`, `-${start + 1}`))).toBeTrue();
  });

  test("of another pid namespace says nothing here, nor does what is no mark", () => {
    for (const name of [
      "urocket-1-1-p1-7",
      "urocket-1-1-p1-an-instance",
      "urocket0",
      "urocket-1",
      "urocket-x-1",
      "docker0",
      "",
      "my-urocket-1-1",
    ])
      expect(isAbandoned(name)).toBeFalse();
  });
});

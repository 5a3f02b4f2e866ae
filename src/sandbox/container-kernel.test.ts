import { describe, expect, test } from "bun:test";
import { examineProc } from "./container-kernel.ts";

const mounts = (...points: string[]) => points.map((point) => ({ point, type: "tmpfs", superOptions: [] }));

describe("a /proc", () => {
  test("is wholly visible with mounts on its own mount points, as a server of NFS has", () => {
    expect(examineProc(mounts("/proc", "/proc/fs/nfsd", "/proc/sys/fs/binfmt_misc", "/processes")).state).toBe("ok");
  });

  test("that somebody has covered is told with what covers it", () => {
    expect(examineProc(mounts("/proc", "/proc/kcore"))).toMatchObject({
      state: "missing",
      detail: expect.stringMatching(/^\/proc\/kcore is covered/) as string,
    });
  });
});

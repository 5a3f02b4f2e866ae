import { describe, expect, test } from "bun:test";
import type { Confined } from "../sandbox/sandbox.ts";
import { type InstanceLoad, loadOf } from "./instance-load.ts";

const env = [
  ["UROCKET_SECRETS", "/host/secrets"],
  ["UROCKET_APP_DATA", "/host/data"],
  ["DATABASE", "/host/app/pets.db"],
] as const;
const load: InstanceLoad = {
  app: "pets",
  programs: {
    "GET /pets": { argv: ["/host/app/list", "/host/app/pets"], wd: "/host/app/scripts", env, channel: "stdin", replyPath: "/uri/{req_id}" },
  },
  programsMax: 4,
  graceMs: 100,
  environment: { PATH: "/host/package/bin:/usr/bin", LANG: "C" },
  functions: { bundle: "/host/build/b.mjs", folder: "/host/app", env, secrets: "/host/secrets", calls: [], listeners: [], callsMax: 1 },
  service: {
    argv: ["php", "-S", "{{host}}:{{port}}"],
    wd: "/host/app",
    env,
    port: 8080,
    health: { everyMs: 1, timeoutMs: 1, failuresMax: 1 },
    startTimeoutMs: 1,
    graceMs: 1,
  },
};
const folders = { own: "/run/urocket/1/pets/abc", all: "/run/urocket/1/pets" };
const moves: Readonly<Record<string, string>> = {
  "/host/app": "/app",
  "/host/build": "/bundle",
  "/host/data": "/data",
  "/host/package": "/urocket",
  "/host/secrets": "/run/secrets",
};
const container: Confined = {
  notHeld: [],
  ownNetwork: true,
  runFolder: "/run/urocket",
  inside: (path) => {
    const from = Object.keys(moves).find((folder) => path === folder || path.startsWith(`${folder}/`));
    return from === undefined ? path : `${moves[from]}${path.slice(from.length)}`;
  },
};
const ownProcess: Confined = { notHeld: [], inside: (path) => path, ownNetwork: false };

describe("what a runner is told to serve", () => {
  test("is, in a process, what the host says, and a port that the runner finds", () => {
    const told = loadOf(load, "id", folders, { ...ownProcess, memorySlots: { version: 1, folder: "/sys/fs/cgroup/x" } });
    expect(told).toEqual({
      ...load,
      instance: "id",
      replySocket: "/run/urocket/1/pets/abc/reply.sock",
      siblings: "/run/urocket/1/pets",
      memorySlots: { version: 1, folder: "/sys/fs/cgroup/x" },
      service: {
        argv: ["php", "-S", "{{host}}:{{port}}"],
        wd: "/host/app",
        env,
        health: { everyMs: 1, timeoutMs: 1, failuresMax: 1 },
        startTimeoutMs: 1,
        graceMs: 1,
        host: "127.0.0.1",
        reach: "127.0.0.1",
      },
    });
  });

  test("has, in a container, the paths that are to be found there", () => {
    const told = loadOf(load, "id", folders, container);
    const movedEnv = [
      ["UROCKET_SECRETS", "/run/secrets"],
      ["UROCKET_APP_DATA", "/data"],
      // What a value means is the author's.
      ["DATABASE", "/host/app/pets.db"],
    ];
    expect(told.programs["GET /pets"]).toEqual({
      argv: ["/app/list", "/host/app/pets"],
      wd: "/app/scripts",
      env: movedEnv as never,
      channel: "stdin",
      replyPath: "/uri/{req_id}",
    });
    // And what else a root filesystem may have programs in.
    expect(told.environment).toEqual({
      PATH: "/urocket/bin:/usr/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/sbin:/bin",
      LANG: "C",
    });
    expect(told.functions).toMatchObject({ bundle: "/bundle/b.mjs", folder: "/app", env: movedEnv, secrets: "/run/secrets" });
    expect(told.service).toMatchObject({ argv: ["php", "-S", "{{host}}:{{port}}"], wd: "/app", env: movedEnv });
    expect([told.replySocket, told.siblings]).toEqual(["/run/urocket/reply.sock", "/run/urocket"]);
  });

  test("has its daemon listen where others reach it, and where nobody does on the loopback", () => {
    const addressed = loadOf(load, "id", folders, { ...container, address: "10.201.0.9" }).service;
    expect([addressed?.host, addressed?.reach, addressed?.port]).toEqual(["0.0.0.0", "10.201.0.9", 8080]);
    const alone = loadOf(load, "id", folders, container).service;
    expect([alone?.host, alone?.reach, alone?.port]).toEqual(["127.0.0.1", "127.0.0.1", 8080]);
  });
});

import { expect, test } from "bun:test";
import type { LoadHead, ServiceSpec } from "../link/messages.ts";
import { planService } from "./service-plan.ts";

const spec: ServiceSpec = {
  argv: ["sh", "-c", "serve {{host}}:{{port}} {{port}}", "--url=http://{{host}}:{{port}}/"],
  wd: "/",
  env: [
    ["LOG", "debug"],
    ["PORT", "1"],
  ],
  host: "0.0.0.0",
  reach: "10.201.0.2",
  port: 8080,
  health: { everyMs: 1, timeoutMs: 1, failuresMax: 1 },
  startTimeoutMs: 1,
  graceMs: 1,
};
const load: LoadHead = {
  app: "app",
  instance: "an-instance",
  replySocket: "/run/reply.sock",
  siblings: "/run",
  programs: {},
  programsMax: 1,
  graceMs: 1,
  environment: { PATH: "/bin", LANG: "C.UTF-8", LOG: "info" },
};

test("a daemon's port and host stand in its arguments wherever it names them", () => {
  expect(planService(spec, load, 8080).argv).toEqual(["/bin/sh", "-c", "serve 0.0.0.0:8080 8080", "--url=http://0.0.0.0:8080/"]);
});

test("its environment is the host's few, its own, and where to listen above all", () => {
  expect(planService(spec, load, 20_123).environment).toEqual({
    PATH: "/bin",
    LANG: "C.UTF-8",
    LOG: "debug",
    HOST: "0.0.0.0",
    PORT: "20123",
    UROCKET_INSTANCE: "an-instance",
  });
});

import { describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { appOf } from "../../tests/app-folder.ts";
import { serviceFileSchema, serviceFileSchemaText } from "./json-schema.ts";
import { loadServiceFile } from "./service-file.ts";

const validate = new Ajv2020({ allErrors: true, strictTypes: false }).compile(serviceFileSchema());

/** Whether the schema and the checker each take a file. */
async function verdicts(file: unknown) {
  using app = appOf({ "urocket-service.json": JSON.stringify(file), "openapi.yaml": "", "scripts/x": "", "f.ts": "" });
  const loaded = await loadServiceFile(app.folder);
  return { schema: validate(file), checker: loaded.ok };
}

const program = { inject: { cmd: "sh" } };
const withTop = (top: object) => ({ paths: { "/": { get: program } }, ...top });
const withOperation = (operation: object) => ({ openapi: "openapi.yaml", paths: { "/": { get: { ...program, ...operation } } } });
const withInject = (inject: object) => ({ paths: { "/": { get: { inject: { cmd: "sh", ...inject } } } } });

describe("the published schema", () => {
  test("is the one that the description makes: `sh bin/bun run scripts/schema.ts` writes it", async () => {
    expect(await Bun.file(new URL("../../schema/urocket-service.schema.json", import.meta.url)).text()).toBe(serviceFileSchemaText());
  });

  test.each([
    withTop({}),
    { openapi: "openapi.yaml" },
    withTop({
      $schema: "x",
      "x-anything": [1],
      name: "pets",
      base: "/v1",
      hosts: ["a.b", "[::1]"],
      sandbox: "process",
      env: ["A=1"],
      timeout: "5s",
      balance: "round-robin",
    }),
    withTop({ servicename: "pets", socketpath: "r.sock", env: { A: 1, B: true, C: "" }, timeout: 300 }),
    withTop({ limits: { memory: "64Mi", cpu: "500m", pids: 16, body: 0 }, scale: { min: 0, max: 1, concurrency: 1, queue: 0, idle: "0" } }),
    withTop({ limits: { cpu: 0.5, body: "10MiB" } }),
    withOperation({ outtake: "usocket://one/two/{req_id}", logstdout: "header", "validate-in": true, "validate-out": false }),
    withOperation({ logstdout: false, validatein: true, validateout: true }),
    withInject({ wd: "scripts", env: ["A=1"], channel: "cmdline", encoding: "raw", timeout: "1.5s" }),
    withInject({ cmd: ["sh", 1, true] }),
    { paths: { pets: { GET: program, post: program } } },
    { paths: { pets: { get: { function: "f.ts#list" }, put: { function: "f.ts", timeout: "1s" } } } },
    { functions: "f.ts" },
    { listeners: [{ tcp: 0, function: "f.ts" }] },
    withTop({ listeners: [], secrets: [], recycle: {} }),
    withTop({
      functions: "f.ts",
      secrets: ["API_KEY"],
      recycle: { age: "24h", requests: 1, memory: "64Mi" },
      listeners: [
        { tcp: "[::1]:1", framing: "lines", function: "f.ts#a", timeout: 1, idle: 1, line: 1, "max-connections": 1 },
        { tcp: ":2", function: "f.ts" },
        { tcp: "1.2.3.4:2", function: "f.ts" },
        { unix: "a", function: "f.ts" },
      ],
    }),
    withOperation({ timeout: "1s" }),
    { service: { cmd: "sh" } },
    { service: { cmd: ["sh", "{{port}}"], health: { path: "healthz", every: "1s", timeout: 500, failures: 1 } } },
    {
      service: { cmd: "sh", wd: "scripts", env: ["A=1"], port: 80, health: "/healthz", start: "1m", timeout: "1s", idle: "1h" },
      paths: { "/": { get: { service: true, timeout: "1s" } } },
    },
    withTop({ sandbox: "container", network: "none", rootfs: "scripts", data: true, limits: { tmp: "128Mi" } }),
  ])("takes what the checker takes: %j", async (file) => {
    expect(await verdicts(file)).toEqual({ schema: true, checker: true });
  });

  test.each([
    {},
    [[]],
    "text",
    withTop({ unknown: 1 }),
    withTop({ functions: "" }),
    withTop({ service: {} }),
    withTop({ sites: [] }),
    withTop({ listeners: {} }),
    withTop({ listeners: [{ tcp: 1 }] }),
    withTop({ listeners: [{ function: "f.ts" }] }),
    withTop({ listeners: [{ tcp: 1, unix: "a", function: "f.ts" }] }),
    withTop({ listeners: [{ tcp: "localhost:1", function: "f.ts" }] }),
    withTop({ listeners: [{ tcp: 70_000, function: "f.ts" }] }),
    withTop({ listeners: [{ tcp: 1, framing: "x", function: "f.ts" }] }),
    withTop({ listeners: [{ tcp: 1, function: "f.ts#" }] }),
    withTop({ listeners: [{ tcp: 1, function: "#f" }] }),
    withTop({ secrets: ["a/b"] }),
    withTop({ recycle: { requests: 0 } }),
    withTop({ name: "Pets" }),
    withTop({ name: "a", servicename: "b" }),
    withTop({ openapi: "" }),
    withTop({ hosts: "a" }),
    withTop({ hosts: ["a:80"] }),
    withTop({ sandbox: "vm" }),
    withTop({ network: "bridge" }),
    withTop({ data: "yes" }),
    withTop({ rootfs: "" }),
    withTop({ service: { cmd: "sh", port: 0 } }),
    withTop({ service: { cmd: "sh", health: "/a b" } }),
    withTop({ service: { cmd: "sh", health: { every: 1 } } }),
    withTop({ service: { cmd: "sh", health: { interval: "1s" } } }),
    withTop({ service: { cmd: [] } }),
    withTop({ service: "sh" }),
    withTop({ limits: { tmp: 1 } }),
    { paths: { "/": { get: { service: false } } }, service: { cmd: "sh" } },
    { paths: { "/": { get: { service: true, outtake: "usocket://{req_id}" } } }, service: { cmd: "sh" } },
    { paths: { "/": { get: { service: true, function: "f.ts" } } }, service: { cmd: "sh" } },
    withTop({ env: ["A"] }),
    withTop({ env: { "1A": "x" } }),
    withTop({ env: { A: null } }),
    withTop({ timeout: "5 days" }),
    withTop({ timeout: -1 }),
    withTop({ limits: { memory: 1 } }),
    withTop({ limits: { cpu: "x" } }),
    withTop({ limits: { pids: 1 } }),
    withTop({ limits: { disk: 1 } }),
    withTop({ scale: { max: 0 } }),
    withTop({ balance: "random" }),
    withOperation({ outtake: "http://x/{req_id}" }),
    withOperation({ outtake: "usocket://x" }),
    withOperation({ logstdout: "yes" }),
    withOperation({ "validate-in": "true" }),
    withOperation({ "validate-in": true, validatein: true }),
    withOperation({ function: "f.ts" }),
    withOperation({ service: {} }),
    withOperation({ timeout: 1, inject: { cmd: "sh", timeout: 1 } }),
    { paths: { "/": { get: { function: "f.ts", outtake: "usocket://{req_id}" } } } },
    { paths: { "/": { get: { function: "f.ts", logstdout: true } } } },
    { paths: { "/": { get: { function: "f.ts#a b" } } } },
    withInject({ cmd: "" }),
    withInject({ cmd: [] }),
    withInject({ cmd: [null] }),
    withInject({ channel: "pipe" }),
    withInject({ encoding: "xml" }),
    withInject({ user: "" }),
    { paths: { "/": { get: {} } } },
    { paths: { "/": { get: { inject: {} } } } },
    { paths: { "/": { get: null } } },
    { paths: { "/": { fetch: program } } },
    { paths: { "/a b": { get: program } } },
    { paths: [] },
  ])("refuses what the checker refuses: %j", async (file) => {
    expect(await verdicts(file)).toEqual({ schema: false, checker: false });
  });

  test("describes every key", () => {
    const keysOf = (schema: unknown): readonly [string, unknown][] => {
      const { properties = {}, $defs = {} } = schema as { properties?: Record<string, unknown>; $defs?: Record<string, unknown> };
      const own = Object.entries(properties);
      return [...own, ...[...own.map(([, property]) => property), ...Object.values($defs)].flatMap(keysOf)];
    };
    const keys = keysOf(serviceFileSchema());
    expect(keys.length).toBeGreaterThan(50);
    expect(keys.filter(([, property]) => typeof (property as { description?: unknown }).description !== "string")).toEqual([]);
  });
});

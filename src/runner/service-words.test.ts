import { expect, test } from "bun:test";
import type { ServiceSpec } from "../link/messages.ts";
import { misplacedWords, saysPortInUse } from "./service-words.ts";

const spec: ServiceSpec = {
  argv: ["bun", "server.ts"],
  wd: "/app",
  env: [],
  host: "0.0.0.0",
  reach: "10.201.0.2",
  port: 8080,
  health: { everyMs: 1, timeoutMs: 1, failuresMax: 1 },
  startTimeoutMs: 1,
  graceMs: 1,
};
const { port: _, ...shared } = { ...spec, host: "127.0.0.1", reach: "127.0.0.1" };

test("a daemon on the loopback of its container is told where others reach it", () => {
  expect(misplacedWords(spec, 8080, [{ host: "127.0.0.1", port: 8080 }])).toBe(
    "it listens on 127.0.0.1:8080, and not where others reach it: have it listen on $HOST:$PORT (0.0.0.0:8080)",
  );
});

test("one on another port of a container is told both ways out", () => {
  expect(misplacedWords(spec, 8080, [{ host: "::", port: 3000 }])).toBe(
    "it listens on [::]:3000, and its PORT is 8080: have it listen on $PORT, or set service.port to 3000",
  );
});

test("one that cannot have its own port is told what it takes", () => {
  expect(misplacedWords(shared, 20_123, [{ host: "127.0.0.1", port: 3000 }])).toBe(
    "it listens on 127.0.0.1:3000, and its PORT is 20123: have it listen on $PORT; a daemon with a port of its own needs sandbox: container",
  );
});

test.each([["10.201.0.2"], ["0.0.0.0"], ["::"]])("one on %s is where it should be", (host) => {
  expect(
    misplacedWords(spec, 8080, [
      { host: "127.0.0.1", port: 9000 },
      { host, port: 8080 },
    ]),
  ).toBeUndefined();
});

test("one that listens on nothing is not misplaced", () => {
  expect(misplacedWords(spec, 8080, [])).toBeUndefined();
});

test.each([
  ["Error: listen EADDRINUSE: address already in use 127.0.0.1:3000"],
  ["OSError: [Errno 98] Address already in use"],
  ["error: Failed to start server. Is port 3000 in use?"],
  ["listen tcp 127.0.0.1:8080: bind: address already in use"],
  ["nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)"],
  ["Port 8080 is already in use"],
])("%p says that the port is taken", (words) => {
  expect(saysPortInUse(words)).toBe(true);
});

test("other last words do not", () => {
  expect(saysPortInUse("SyntaxError: Unexpected token")).toBe(false);
  expect(saysPortInUse("cannot open the report: it is in use")).toBe(false);
});

import { expect, test } from "bun:test";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type LogOptions, openLog } from "./log.ts";
import type { ConnectionReceipt, Log, OutputLine, ProgramReceipt, Receipt } from "./receipt.ts";

const at = new Date(2026, 10, 21, 12, 3, 4, 123);

const program: ProgramReceipt = {
  waitMs: 0.0424,
  spawnMs: 1.1,
  runMs: 9.8,
  replyMs: 0.2,
  totalMs: 12,
  cpuUserMs: 3,
  cpuSystemMs: 1.2,
  memoryPeakBytes: 3_250_586,
  memorySource: "cgroup",
  exitCode: 0,
  endedBy: "itself",
  outputBytesDropped: 0,
};

const receipt: Receipt = {
  requestId: "0190f0c8-1c2d-7000-8000-000000000001",
  exchangeId: "0190f0c8-1c2d-7000-8000-000000000001",
  app: "pets",
  operation: "GET /pets",
  method: "GET",
  path: "/pets",
  status: 200,
  bytesIn: 0,
  bytesOut: 2,
  totalMs: 12.3456789,
  queueMs: 0.01,
};

const output: OutputLine = {
  requestId: receipt.requestId,
  exchangeId: receipt.exchangeId,
  app: "pets",
  operation: "GET /pets",
  stream: "stderr",
  text: "hello",
  cut: false,
};

const connection: ConnectionReceipt = {
  connectionId: "5190f0c8-1c2d-7000-8000-000000000001",
  app: "fibber",
  listener: "tcp:1234",
  client: "127.0.0.1",
  lines: 12,
  bytesIn: 34,
  bytesOut: 56,
  totalMs: 1200.00049,
};

const logged: OutputLine = { ...output, stream: "log", level: "info", text: "adding", fields: { name: "Rex", tags: ["a"] } };

/** What a log of these options holds after `events`. */
async function written(options: Partial<LogOptions>, events: (log: Log) => void): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "urocket-log-"));
  const fd = openSync(join(folder, "log"), "a");
  try {
    const log = openLog({ fd, format: "json", colours: false, now: () => at.getTime(), ...options });
    events(log);
    await log.close();
    return readFileSync(join(folder, "log"), "utf8");
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
}

async function writtenJson(events: (log: Log) => void): Promise<Record<string, unknown>[]> {
  const text = await written({}, events);
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test("an exchange is one JSON line with its receipt", async () => {
  const lines = await writtenJson((log) => log.exchange({ ...receipt, program }));
  expect(lines).toEqual([
    {
      time: at.toISOString(),
      level: "info",
      type: "exchange",
      requestId: receipt.requestId,
      app: "pets",
      operation: "GET /pets",
      method: "GET",
      path: "/pets",
      status: 200,
      bytesIn: 0,
      bytesOut: 2,
      totalMs: 12.346,
      queueMs: 0.01,
      waitMs: 0.042,
      spawnMs: 1.1,
      runMs: 9.8,
      replyMs: 0.2,
      programMs: 12,
      cpuUserMs: 3,
      cpuSystemMs: 1.2,
      memoryPeakBytes: 3_250_586,
      memorySource: "cgroup",
      exitCode: 0,
      endedBy: "itself",
    },
  ]);
});

test("a function's exchange tells its time, and what it noted on its span", async () => {
  const span = { attributes: { rows: 3 }, events: [{ name: "read", atMs: 1.5 }] };
  const [line] = await writtenJson((log) => log.exchange({ ...receipt, operationId: "listPets", functionMs: 0.4204, span }));
  expect(line).toMatchObject({ operationId: "listPets", functionMs: 0.42, span });
});

test("an exchange that ran into a limit, or was tried on several instances, says so", async () => {
  const events = (log: Log): void => log.exchange({ ...receipt, status: 502, serviceMs: 1.5, attempts: 2, limit: "memory" });
  expect((await writtenJson(events))[0]).toMatchObject({ status: 502, serviceMs: 1.5, attempts: 2, limit: "memory" });
  expect(await written({ format: "pretty" }, events)).toContain("(service 1.5) 2 attempts limits.memory 0190f0c8");
});

test("lines of one operation differ in what differs, whichever instance served it", async () => {
  const receipts: Receipt[] = [
    { ...receipt, instance: "one" },
    { ...receipt, instance: "two", operationId: "listPets" },
    { ...receipt, method: "HEAD", app: "others" },
    { ...receipt, instance: "one" },
    { ...receipt, app: undefined, operation: undefined, client: "::1" },
  ];
  const lines = await writtenJson((log) => receipts.forEach((one) => log.exchange(one)));
  const fields = lines.map(({ app, operation, operationId, instance, method, client }) => [
    app,
    operation,
    operationId,
    instance,
    method,
    client,
  ]);
  expect(fields).toEqual([
    ["pets", "GET /pets", undefined, "one", "GET", undefined],
    ["pets", "GET /pets", "listPets", "two", "GET", undefined],
    ["others", "GET /pets", undefined, undefined, "HEAD", undefined],
    ["pets", "GET /pets", undefined, "one", "GET", undefined],
    [undefined, undefined, undefined, undefined, "GET", "::1"],
  ]);
});

test("what a function logs has its level and fields; outside of a request it has no request's id", async () => {
  const outside: OutputLine = { app: "pets", instance: "one", stream: "log", level: "error", text: "at start", cut: false };
  const lines = await writtenJson((log) => [logged, outside].forEach((line) => log.output(line)));
  expect(lines).toMatchObject([
    { type: "output", stream: "log", level: "info", text: "adding", fields: { name: "Rex", tags: ["a"] }, requestId: receipt.requestId },
    { type: "output", stream: "log", level: "error", text: "at start", app: "pets", instance: "one" },
  ]);
  expect(Object.keys(lines[1] ?? {})).toEqual(["time", "level", "type", "app", "instance", "stream", "text"]);
});

test("a connection is one line when it is over, a warning where it was ended by us", async () => {
  const lines = await writtenJson((log) => {
    log.connection(connection);
    log.connection({ ...connection, detail: "silent for 300 s" });
  });
  const common = { time: at.toISOString(), type: "connection", ...connection, totalMs: 1200 };
  expect(lines).toEqual([
    { ...common, level: "info" },
    { ...common, level: "warn", detail: "silent for 300 s" },
  ]);
});

test("the exchange's own id is told only where the client brought another", async () => {
  const [line] = await writtenJson((log) =>
    log.exchange({ ...receipt, requestId: "mine", error: "no-reply", detail: "exit 3", status: 502 }),
  );
  expect(line).toMatchObject({ requestId: "mine", exchangeId: receipt.exchangeId, level: "error", error: "no-reply", detail: "exit 3" });
});

test("successes have no line where only failures are asked for", async () => {
  const text = await written({ format: "json", requests: "failed" }, (log) => {
    log.exchange(receipt);
    log.exchange({ ...receipt, status: 404, path: "/missing" });
    log.exchange({ ...receipt, path: "/broken-off", error: "reply-aborted" });
    log.output(output);
  });
  const lines = text
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.map(({ type, path }) => path ?? type)).toEqual(["/missing", "/broken-off", "output"]);
});

test("the level follows from the status", async () => {
  const statuses = [200, 404, 499, 500, 502, 503, 504];
  const lines = await writtenJson((log) => statuses.forEach((status) => log.exchange({ ...receipt, status })));
  expect(lines.map(({ level }) => level)).toEqual(["info", "info", "info", "error", "error", "warn", "error"]);
});

test("a program's line is one JSON line, whatever it holds", async () => {
  const text = 'a\u001b[2J"}\n{"type":"exchange"}';
  const lines = await writtenJson((log) => log.output({ ...output, text, cut: true }));
  expect(lines).toEqual([
    {
      time: at.toISOString(),
      level: "info",
      type: "output",
      requestId: receipt.requestId,
      app: "pets",
      operation: "GET /pets",
      stream: "stderr",
      text,
      cut: true,
    },
  ]);
});

test("a path cannot forge a line", async () => {
  const lines = await writtenJson((log) => log.exchange({ ...receipt, path: '/a\n{"type":"host"}' }));
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ type: "exchange", path: '/a\n{"type":"host"}' });
});

test("a host event's fields cannot take the place of the common ones", async () => {
  const event = { level: "warn", event: "reload", message: "kept", fields: { app: "pets", level: "x", problems: 2, ok: false } } as const;
  const [line] = await writtenJson((log) => log.host(event));
  expect(line).toEqual({
    time: at.toISOString(),
    level: "warn",
    type: "host",
    event: "reload",
    message: "kept",
    app: "pets",
    problems: 2,
    ok: false,
  });
});

test("dropped lines are told as a host event", async () => {
  const text = await written({ waitingBytesMax: 600, flushMs: 100_000 }, (log) => {
    for (let i = 0; i < 100; i += 1) log.output({ ...output, text: `${i}` });
  });
  const lines = text.trimEnd().split("\n");
  expect(lines.length).toBeLessThan(6);
  const last = JSON.parse(lines.at(-1) ?? "") as unknown;
  expect(last).toMatchObject({ type: "host", level: "warn", event: "log-dropped", count: 101 - lines.length });
});

test("for people an exchange is one aligned line", async () => {
  const text = await written({ format: "pretty" }, (log) => {
    log.exchange({ ...receipt, program });
    log.exchange({
      ...receipt,
      method: "DELETE",
      path: "/pets/7",
      status: 504,
      totalMs: 5001,
      queueMs: 2000,
      error: "deadline",
      detail: "ran for 3 s",
    });
  });
  expect(text).toBe(
    [
      "12:03:04.123 GET    /pets             200    12.3 ms (spawn 1.1, run 9.8) cpu 4 ms mem 3.1 MiB 0190f0c8",
      "12:03:04.123 DELETE /pets/7           504  5001.0 ms (queue 2000.0) 0190f0c8 deadline: ran for 3 s",
      "",
    ].join("\n"),
  );
});

test("for people an end by a signal, a failing exit and an upper bound are shown", async () => {
  const killed: ProgramReceipt = { ...program, memorySource: "at-most", signal: "SIGKILL", exitCode: 137 };
  const text = await written({ format: "pretty" }, (log) => log.exchange({ ...receipt, program: killed }));
  expect(text).toContain("mem ≤ 3.1 MiB SIGKILL exit 137");
});

test("for people output and host events are lines too, and steer no terminal", async () => {
  const text = await written({ format: "pretty" }, (log) => {
    log.output({ ...output, text: "red \u001b[31m alert\u009b0m", cut: true });
    log.host({ level: "warn", event: "reload", message: "kept the old one\u0007", fields: { app: "pe\nts" } });
  });
  expect(text).toBe(
    [
      "12:03:04.123 0190f0c8 GET /pets stderr | red \\u001b[31m alert\\u009b0m … (cut)",
      "12:03:04.123 warn   kept the old one\\u0007 (app: pe\\nts)",
      "",
    ].join("\n"),
  );
});

test("for people a function's line has its level, fields and stack, a connection its figures", async () => {
  const text = await written({ format: "pretty" }, (log) => {
    log.output(logged);
    log.output({ app: "pets", stream: "log", level: "error", text: "Error: x\n    at y", cut: false });
    log.connection({ ...connection, detail: "silent for 300 s" });
    log.exchange({ ...receipt, operationId: "listPets", functionMs: 0.42 });
  });
  expect(text).toBe(
    [
      '12:03:04.123 0190f0c8 GET /pets info | adding (name: Rex, tags: ["a"])',
      "12:03:04.123 pets error | Error: x",
      "12:03:04.123 pets error |     at y",
      "12:03:04.123 tcp:1234                 12 lines  1200.0 ms 34 bytes in, 56 out 5190f0c8 silent for 300 s",
      "12:03:04.123 GET    /pets             200    12.3 ms listPets (function 0.4) 0190f0c8",
      "",
    ].join("\n"),
  );
});

const other: OutputLine = { ...output, requestId: "other", exchangeId: "9999", text: "of another request" };

test("gathered, a request's output is below its line, annotated, and the others' is not", async () => {
  const annotate = (line: OutputLine): OutputLine => (line.stream === "log" ? { ...line, text: `${line.text}\n> source` } : line);
  const text = await written({ format: "pretty", gather: true, annotate }, (log) => {
    log.output(output);
    log.output(other);
    log.output(logged);
    log.exchange(receipt);
  });
  expect(text).toBe(
    [
      "12:03:04.123 GET    /pets             200    12.3 ms 0190f0c8",
      "               stderr hello",
      '               info   adding (name: Rex, tags: ["a"])',
      "                      > source",
      "12:03:04.123 other GET /pets stderr | of another request",
      "",
    ].join("\n"),
  );
});

test("gathered or not, what belongs to no request is shown at once", async () => {
  const listeners: OutputLine = { ...logged, operation: "tcp:1234" };
  const outside: OutputLine = { app: "pets", stream: "log", level: "error", text: "at start", cut: false };
  const text = await written({ format: "pretty", gather: true }, (log) => {
    log.output(output);
    log.output(listeners);
    log.output(outside);
    log.exchange(receipt);
  });
  expect(text.split("\n").map((line) => line.slice(13, 40).trim())).toEqual([
    "0190f0c8 tcp:1234 info | ad",
    "pets error | at start",
    "GET    /pets             20",
    "stderr hello",
    "",
  ]);
});

test("a request that writes much is shown as it writes", async () => {
  const text = await written({ format: "pretty", gather: true }, (log) => {
    for (let count = 0; count < 501; count += 1) log.output(output);
    log.exchange(receipt);
  });
  const lines = text.trimEnd().split("\n");
  expect(lines).toHaveLength(502);
  expect(lines.at(-1)).toContain("GET    /pets");
});

test("colours are there when wanted, and the text below them is the same", async () => {
  const events = (log: Log): void => {
    log.exchange({ ...receipt, program });
    log.output(output);
    log.output(logged);
    log.connection(connection);
    log.host({ level: "error", event: "instance", message: "gone" });
  };
  const coloured = await written({ format: "pretty", colours: true }, events);
  expect(coloured).toContain("\u001b[");
  expect(Bun.stripANSI(coloured)).toBe(await written({ format: "pretty" }, events));
});

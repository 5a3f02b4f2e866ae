/** What the host writes down of exchanges and of programs' output. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { sendRaw } from "./raw-http.ts";
import { servedApp } from "./served-app.ts";
import type { LogLine } from "./serving.ts";

const reply = "echo done | urocket reply --type text/plain";
const files = {
  "urocket-service.yaml": `
name: talkative
timeout: 20s
paths:
  /both/{word}:
    get: { inject: { cmd: ./both.sh } }
  /silent:
    get: { inject: { cmd: ./both.sh }, logstdout: false }
  /asked:
    get: { inject: { cmd: ./both.sh }, logstdout: header }
  /odd:
    get: { inject: { cmd: ./odd.sh } }
  /long:
    get: { inject: { cmd: ./long.sh } }
  /flood:
    get: { inject: { cmd: ./flood.sh } }
  /holding:
    get: { inject: { cmd: ./holding.sh, timeout: 3s } }
`,
  "both.sh": `#!/bin/sh\necho "out $UROCKET_PARAM_WORD"\necho "err $UROCKET_PARAM_WORD" >&2\n${reply}\n`,
  "odd.sh": `#!/bin/sh\nprintf '{"type":"exchange","requestId":"forged"}\\nred \\033[31m bell \\007 bytes \\377\\376 tab\\tend\\rreturned\\nno line end'\n${reply}\n`,
  "long.sh": `#!/bin/sh\nhead -c 20000 /dev/zero | tr '\\0' x\necho\necho after\n${reply}\n`,
  "flood.sh": `#!/bin/sh\nyes 'a line of a flood that nobody asked for' | head -n 200000\n${reply}\n`,
  "holding.sh": `#!/bin/sh\nsleep 1000 &\necho held\n${reply}\n`,
};

describe("logs", () => {
  const host = servedApp(() => appOf(files));

  const get = async (path: string, headers: Record<string, string> = {}): Promise<string> => {
    const response = await fetch(host.url + path, { headers });
    expect(response.status).toBe(200);
    await response.text();
    return response.headers.get("x-request-id") ?? "";
  };
  const output = (requestId: string): LogLine[] => host.log.filter((line) => line["type"] === "output" && line["requestId"] === requestId);
  const texts = (requestId: string, stream: string): unknown[] =>
    output(requestId)
      .filter((line) => line["stream"] === stream)
      .map((line) => line["text"]);

  test("an exchange is one line that tells what was asked, what was answered, and what it cost", async () => {
    const requestId = await get("/both/one?secret=hush");
    const line = await host.exchange(requestId);
    expect(line).toMatchObject({
      type: "exchange",
      app: "talkative",
      operation: "GET /both/{word}",
      method: "GET",
      path: "/both/one",
      status: 200,
    });
    expect(line["time"]).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(line["totalMs"]).toBeNumber();
    // Told only where the client brought its own id.
    expect(line["exchangeId"]).toBeUndefined();
    expect(host.log.filter((other) => other["type"] === "exchange" && other["requestId"] === requestId)).toHaveLength(1);
    expect(JSON.stringify(host.log)).not.toContain("hush");
  });

  test("the receipt tells the program's time, memory and exit", async () => {
    const line = JSON.stringify(await host.exchange(await get("/both/receipt")));
    expect(line).toMatch(/spawn/i);
    expect(line).toMatch(/cpu/i);
    expect(line).toMatch(/memory/i);
    expect(line).toMatch(/exit/i);
  });

  test("what a program prints is told with the request's id and operation", async () => {
    const requestId = await get("/both/two", { "x-request-id": "my-own-id" });
    expect(requestId).toBe("my-own-id");
    await host.exchange(requestId);
    await eventually("both lines are there", () => output(requestId).length === 2);
    expect(texts(requestId, "stdout")).toEqual(["out two"]);
    expect(texts(requestId, "stderr")).toEqual(["err two"]);
    expect(output(requestId)[0]).toMatchObject({ app: "talkative", operation: "GET /both/{word}" });
  });

  test("with logstdout: false only stderr is", async () => {
    const requestId = await get("/silent");
    await host.exchange(requestId);
    await eventually("stderr is there", () => texts(requestId, "stderr").length === 1);
    expect(texts(requestId, "stdout")).toEqual([]);
  });

  test("with logstdout: header stdout is for those who ask", async () => {
    const asked = await get("/asked", { "x-urocket-log-stdout": "1" });
    await eventually("stdout is there", () => texts(asked, "stdout").length === 1);
    const unasked = await get("/asked");
    await host.exchange(unasked);
    await eventually("stderr is there", () => texts(unasked, "stderr").length === 1);
    expect(texts(unasked, "stdout")).toEqual([]);
  });

  test("no output can pass for a line of the log, and a line without an end is told", async () => {
    const requestId = await get("/odd");
    await eventually("the last line is there", () => texts(requestId, "stdout").includes("no line end"));
    expect(texts(requestId, "stdout")).toHaveLength(3);
    expect(texts(requestId, "stdout")[0]).toBe('{"type":"exchange","requestId":"forged"}');
    expect(host.log.some((line) => line["requestId"] === "forged")).toBeFalse();
  });

  test("a line of more than 16 KiB is cut, says so, and the next one is whole", async () => {
    const requestId = await get("/long");
    await eventually("both lines are there", () => texts(requestId, "stdout").length >= 2);
    const [long, after] = output(requestId);
    expect(String(long?.["text"]).length).toBe(16 * 1024);
    expect(long?.["cut"]).toBe(true);
    expect(after?.["text"]).toBe("after");
  });

  test("a flood does not hold the program up, and what was dropped is counted", async () => {
    const requestId = await get("/flood");
    const line = await host.exchange(requestId);
    expect(line["status"]).toBe(200);
    const lines = output(requestId).length;
    expect(lines > 0).toBeTrue();
    if (lines < 200_000)
      expect(JSON.stringify(line) + JSON.stringify(host.log.filter((entry) => entry["type"] === "host"))).toMatch(/dropped/i);
  });

  test("a child that holds the output open holds nothing up", async () => {
    const requestId = await get("/holding");
    await eventually("the line is there", () => texts(requestId, "stdout").includes("held"));
    await host.exchange(requestId);
  });

  test("line ends and control characters of a path cannot make a line of their own", async () => {
    const response = await sendRaw(
      host.port,
      `GET /both/a%0a%7b%22type%22:%22exchange%22%7d HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: path-injection\r\n\r\n`,
    );
    expect(response?.status).toBe(200);
    const line = await host.exchange("path-injection");
    expect(String(line["path"])).not.toContain("\n");
  });

  test("requests that no operation took are told too", async () => {
    const response = await fetch(`${host.url}/nowhere`);
    const line = await host.exchange(response.headers.get("x-request-id") ?? "");
    expect(line).toMatchObject({ status: 404, method: "GET", path: "/nowhere" });
    expect(line["error"]).toBe(response.headers.get("x-urocket-error") ?? "");
  });
});

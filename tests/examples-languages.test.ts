/** The languages example: the same echo by programs in sh, Python, Perl and C, and one of untouched bytes. */
import { describe, expect } from "bun:test";
import { copyOfExample } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";
import { findMissingTools, requireTool } from "./system-tools.ts";

const languages = [
  { language: "sh", tool: "curl" },
  { language: "python", tool: "python3" },
  { language: "perl", tool: "perl" },
  { language: "c", tool: "gcc" },
] as const;

describe("examples/languages", () => {
  const host = servedApp(() => {
    const app = copyOfExample("languages");
    if (findMissingTools(["gcc"]).length === 0) {
      const made = Bun.spawnSync(["gcc", "-O2", "-o", "echo-c", "echo.c"], { cwd: app.folder });
      if (!made.success) throw new Error(`gcc failed: ${made.stderr.toString()}`);
    }
    // Twenty interpreters start at once, on whatever machine this is.
    app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("timeout: 10s", "timeout: 60s"));
    return app;
  });

  const twenty = Array.from({ length: 20 }, (_, index) => index);

  for (const { language, tool } of languages) {
    describe(language, () => {
      const testIt = requireTool(tool);
      const echo = async (payload: unknown): Promise<Response> =>
        await fetch(`${host.url}/${language}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(payload),
        });

      testIt("it answers with the payload and the request's id", async () => {
        const payload = { text: `a "quote", a \\, a ☃ and a $(command)`, list: [1, null, true] };
        const response = await echo(payload);
        expect(response.status).toBe(200);
        expect(response.headers.get("content-type")).toStartWith("application/json");
        expect(await response.json()).toEqual({ language, requestId: response.headers.get("x-request-id"), payload });
      });

      testIt("a payload of a megabyte comes back whole", async () => {
        const payload = { text: "0123456789abcdef".repeat(65_536) };
        const answer = (await (await echo(payload)).json()) as { payload: typeof payload };
        expect(answer.payload.text === payload.text).toBeTrue();
      });

      testIt(
        "of twenty requests at once each is answered with its own",
        async () => {
          const answers = await Promise.all(
            twenty.map(async (index) => (await (await echo({ index })).json()) as { requestId: string; payload: unknown }),
          );
          expect(answers.map(({ payload }) => payload)).toEqual(twenty.map((index) => ({ index })));
          expect(new Set(answers.map(({ requestId }) => requestId)).size).toBe(20);
        },
        60_000,
      );
    });
  }

  describe("raw", () => {
    const testIt = requireTool("curl");
    const echo = async (body: Uint8Array, type = "application/octet-stream"): Promise<Response> =>
      await fetch(`${host.url}/raw`, { method: "POST", headers: { "content-type": type }, body });

    testIt("bytes come back as they were sent, with their media type", async () => {
      const bytes = Uint8Array.from({ length: 65_536 * 5 }, (_, index) => (index * 7 + (index >> 8)) & 0xff);
      const response = await echo(bytes, "image/x-noise");
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("image/x-noise");
      expect(Buffer.compare(await response.bytes(), bytes)).toBe(0);
    });

    testIt("JSON is not touched either: spaces, order and doubled keys stay", async () => {
      const text = '{ "b": 1.0, "a": 2e0,\n "a": 3 }';
      expect(await (await echo(Buffer.from(text), "application/json")).text()).toBe(text);
    });

    testIt("of twenty requests at once each is answered with its own", async () => {
      const answers = await Promise.all(twenty.map(async (index) => await (await echo(Buffer.from(`number ${index}`))).text()));
      expect(answers).toEqual(twenty.map((index) => `number ${index}`));
    });
  });
});

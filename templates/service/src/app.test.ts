/** The daemon's answers, without a server; run with `npm test`. */
import { expect, test } from "bun:test";
import { answer } from "./app.ts";

const get = (path: string, init?: RequestInit): Response => answer(new Request(`http://localhost${path}`, init));

test("greets, and says which request it was", async () => {
  const response = get("/", { headers: { "x-request-id": "a-request" } });
  expect(await response.json()).toMatchObject({ greeting: "Hello", request: "a-request" });
});

test("is well", () => {
  expect(get("/healthz").status).toBe(200);
});

test("ticks as server-sent events", async () => {
  const response = get("/clock");
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body?.getReader();
  const first = await reader?.read();
  expect(new TextDecoder().decode(first?.value as Uint8Array | undefined)).toStartWith("id: 0\ndata: ");
  await reader?.cancel();
});

test("answers GET alone, and what is there", () => {
  expect(get("/", { method: "POST" }).status).toBe(405);
  expect(get("/elsewhere").status).toBe(404);
});

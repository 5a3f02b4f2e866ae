import { expect, test } from "bun:test";
import { BodyBudget } from "./body-budget.ts";
import { readRequestBody } from "./request-body.ts";

const post = (body: Uint8Array<ArrayBuffer> | ReadableStream, headers: Record<string, string> = {}): Request =>
  new Request("http://localhost/", { method: "POST", body, headers });
const announced = (bytes: number): Request => post(new Uint8Array(bytes), { "content-length": String(bytes) });
const kind = async (reading: ReturnType<typeof readRequestBody>): Promise<string> => {
  const body = await reading;
  return body.ok ? `${body.reserved} bytes` : (body.problem?.kind ?? "the client left");
};

test.each([1000, 100_000])("a body of %i bytes holds its room until it is given back", async (bytes) => {
  const budget = new BodyBudget(150_000);
  expect(await kind(readRequestBody(announced(bytes), 200_000, budget))).toBe(`${bytes} bytes`);
  expect(budget.held).toBe(bytes);
  expect(await kind(readRequestBody(announced(150_001 - bytes), 200_000, budget))).toBe("memory-full");
  expect(await kind(readRequestBody(announced(150_000 - bytes), 200_000, budget))).toBe(`${150_000 - bytes} bytes`);
});

test("a body over the app's limit is refused, announced or not, and holds no room", async () => {
  const budget = new BodyBudget(1_000_000);
  expect(await kind(readRequestBody(announced(101), 100, budget))).toBe("body-too-large");
  expect(await kind(readRequestBody(post(new Blob([new Uint8Array(101)]).stream()), 100, budget))).toBe("body-too-large");
  expect(budget.held).toBe(0);
});

test("a large body that is announced and does not come takes no room from others", async () => {
  const budget = new BodyBudget(150_000);
  let fail: (() => void) | undefined;
  const silent = new ReadableStream({
    start(controller) {
      fail = () => controller.error(new Error("gone"));
    },
  });
  const slow = kind(readRequestBody(post(silent, { "content-length": "150000" }), 200_000, budget));
  expect(await kind(readRequestBody(announced(150_000), 200_000, budget))).toBe("150000 bytes");
  fail?.();
  expect(await slow).toBe("the client left");
  expect(budget.held).toBe(150_000);
});

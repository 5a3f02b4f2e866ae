/** Handlers are called without a host; run with `npm test`. */
import { expect, test } from "bun:test";
import { callHandler, testContext } from "urocket/testing";
import { countDown, hello, sum } from "./functions.ts";

test("greets as often as it is asked to", async () => {
  const ctx = testContext();
  const answer = await callHandler(hello, { params: { name: "Ada" }, query: { times: 2 } }, ctx);
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({ message: "Hi, Ada! Hi, Ada!" });
  expect(ctx.logged).toEqual([{ level: "info", message: "greeting", fields: { name: "Ada" } }]);
});

test("does not greet nobody", async () => {
  const answer = await callHandler(hello, { params: { name: "Nobody" }, query: { times: 1 } });
  expect(answer.status).toBe(404);
  expect(answer.body).toMatchObject({ title: "Not Found", detail: "There is nobody of that name" });
});

test("adds numbers", async () => {
  expect((await callHandler(sum, { body: { numbers: [1, 2, 3.5] } })).body).toEqual({ sum: 6.5 });
});

test("counts down to zero", async () => {
  const mediaTypes = { "200": "text/event-stream" };
  expect((await callHandler(countDown, { params: { from: 0 }, mediaTypes })).body).toBe("data: 0\n\n");
});

import { expect, test } from "bun:test";
import { FunctionTrial } from "./function-trial.ts";

test("a value is a 200, undefined a 204, and { status, headers, body } what it says", async () => {
  await using trial = await FunctionTrial.open(`
    export const value = () => ({ a: 1 });
    export const nothing = () => {};
    export const whole = async ({ body }) => ({ status: 201, headers: { location: "/x/1" }, body: { ...body, id: 1 } });
  `);
  const value = await trial.answer(0);
  expect(value.head).toMatchObject({ status: 200, headers: [["content-type", "application/json"]] });
  expect(value.json).toEqual({ a: 1 });
  expect((await trial.answer(1)).head).toMatchObject({ status: 204, headers: [] });
  const whole = await trial.answer(2, {}, '{"name":"Rex"}');
  expect(whole.head).toMatchObject({ status: 201 });
  expect(whole.head?.headers).toContainEqual(["location", "/x/1"]);
  expect(whole.json).toEqual({ name: "Rex", id: 1 });
});

import { expect, test } from "bun:test";
import { ServiceTrial } from "./service-trial.ts";

test("an instance is loaded when its daemon's health path answers, and says where it listens", async () => {
  await using service = await ServiceTrial.open({});
  const port = await service.port;
  expect(port).toBeGreaterThanOrEqual(10_240);
  expect(await service.get("/users")).toBe("/users");
  expect(service.logs[0]).toMatchObject({ operation: "service", stream: "stdout", text: `listening on ${port}` });
});

test("on a stop the daemon gets TERM, and its last lines are told before the link ends", async () => {
  await using service = await ServiceTrial.open({});
  await service.stop();
  expect(service.lines.at(-1)).toBe("leaving");
  expect(await service.trial.exited()).toBe(0);
});

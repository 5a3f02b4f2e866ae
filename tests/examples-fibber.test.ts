/** The fibber example, whole: the same function behind lines of TCP and an operation of a contract. */
import { describe, expect, test } from "bun:test";
import { callLine } from "urocket/testing";
import { fib } from "../examples/fibber/src/fib.ts";
import { fibonacci, largest } from "../examples/fibber/src/fibonacci.ts";
import { type AppFolder, copyOfExample } from "./app-folder.ts";
import { lineClient, lineAddresses } from "./line-client.ts";
import { servedApp } from "./served-app.ts";

/** On a port of its own. */
function fibber(): AppFolder {
  const app = copyOfExample("fibber");
  app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("tcp: 1234", "tcp: 0"));
  return app;
}

describe("The fibber example", () => {
  const host = servedApp(fibber);
  const client = async (): ReturnType<typeof lineClient> => await lineClient(lineAddresses(host)[0]);

  test("keeps its dialogue: an int is answered Ok, anything else Err, in order", async () => {
    await using fibberClient = await client();
    fibberClient.end("10\nabc\n-1\n\n99999999999\n");
    expect((await fibberClient.all()).split("\n")).toEqual([
      "Ok: 55",
      'Err: "abc" is not a number; send a whole number from 0 to 10000000',
      "Err: -1 is negative; send a whole number from 0 to 10000000",
      "Err: the line is empty; send a whole number from 0 to 10000000",
      "Err: 99999999999 is too large; send a whole number from 0 to 10000000",
      "",
    ]);
  });

  test("answers large numbers in their turn", async () => {
    await using fibberClient = await client();
    fibberClient.end("5\n1000000\n6\n");
    const [five, large, six] = (await fibberClient.all()).split("\n");
    expect([five, six]).toEqual(["Ok: 5", "Ok: 8"]);
    expect(large?.length).toBe("Ok: ".length + 208_988);
    expect(large).toStartWith("Ok: 19532821287077577316320149475962563324435429965918733969534051945716");
    expect(large).toEndWith("68996526838242546875");
  });

  test("refuses a line that is too long by the listener's own limit", async () => {
    await using fibberClient = await client();
    fibberClient.write(`7\n${"1".repeat(1025)}\n`);
    expect(await fibberClient.all()).toBe("Ok: 13\nErr: a line is longer than 1Ki, the limit of a line\n");
  });

  test("serves the same numbers over HTTP", async () => {
    const response = await fetch(`${host.url}/fib/93`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ n: 93, fibonacci: "12200160415121876738" });
    const refused = await fetch(`${host.url}/fib/99999999999`);
    expect(refused.status).toBe(400);
  });

  test("tells the log of a connection that is over", async () => {
    await using fibberClient = await client();
    fibberClient.end("1\n2\n3");
    expect(await fibberClient.all()).toBe("Ok: 1\nOk: 1\nOk: 2\n");
    await host.logged("the connection", (line) => line["type"] === "connection" && line["lines"] === 3);
  });
});

describe("The function of the example", () => {
  test.each([
    ["0", "Ok: 0"],
    ["1", "Ok: 1"],
    ["2", "Ok: 1"],
    [" 12 ", "Ok: 144"],
    ["+7", "Ok: 13"],
    ["-0", "Ok: 0"],
    ["0000000000000000000007", "Ok: 13"],
    ["100", "Ok: 354224848179261915075"],
  ])("answers %j", async (line, answer) => {
    expect(await callLine(fib, line)).toBe(answer);
  });

  test.each([
    ["1.5", "not a whole number"],
    ["1e3", "not written in plain digits"],
    ["0xff", "not written in plain digits"],
    ["1_000", "not written in plain digits"],
    ["Infinity", "not a number"],
    ["-", "not a number"],
    ["٣", "not a number"],
    ["-7", "negative"],
    ["10000001", "too large"],
    ["9".repeat(900), "too large"],
    ["", "the line is empty"],
    ["  ", "the line is empty"],
  ])("says what is wrong with %j", async (line, why) => {
    const answer = await callLine(fib, line);
    expect(answer).toStartWith("Err: ");
    expect(answer).toContain(why);
    expect(answer).toEndWith("; send a whole number from 0 to 10000000");
    expect(answer.length).toBeLessThan(200);
  });

  test("is exact, by another way of computing", async () => {
    for (const n of [94, 1_000, 1_001, 20_000, 20_001, 65_536, 99_999]) expect(await fibonacci(n, Infinity)).toBe(byDoubling(n).toString());
  });

  test("writes large numbers in pieces, with their zeros", async () => {
    // More digits than are written at once.
    expect((await fibonacci(3_000_000, Infinity)) === byDoubling(3_000_000).toString()).toBe(true);
  }, 30_000);

  test("gives up at its deadline", async () => {
    expect(await callLine(fib, String(largest), { deadline: Date.now() })).toBe(
      "Err: The Fibonacci number 10000000 takes this machine longer than an answer may; send a smaller one",
    );
  });
});

/** F(2k) = F(k) (2 F(k+1) - F(k)), F(2k+1) = F(k)² + F(k+1)² */
function byDoubling(n: number): bigint {
  const [number] = pair(n);
  return number;
}

function pair(n: number): readonly [bigint, bigint] {
  if (n === 0) return [0n, 1n];
  const [a, b] = pair(Math.floor(n / 2));
  const even = a * (2n * b - a);
  const odd = a * a + b * b;
  return n % 2 === 0 ? [even, odd] : [odd, even + odd];
}

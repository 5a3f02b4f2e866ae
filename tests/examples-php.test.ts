/** The PHP example: answers by libcurl over the configured socket path and over the one in the environment. */
import { describe, expect } from "bun:test";
import { copyOfExample } from "./app-folder.ts";
import { servedApp } from "./served-app.ts";
import { requireTool } from "./system-tools.ts";

const configuredSocket = "/tmp/urocket-prices.sock";
const cent = (index: number): number => 1000 + index;

const testIt = requireTool("php-curl");

describe("examples/php", () => {
  const host = servedApp(() => {
    const app = copyOfExample("php");
    // The example's own path may belong to somebody who tries it out.
    for (const file of ["urocket-service.yaml", "scripts/pricechange.php"]) {
      const text = app.read(file);
      expect(text).toContain(configuredSocket);
      app.write(file, text.replaceAll(configuredSocket, app.path("prices.sock")));
    }
    return app;
  });

  const changePrices = async (pricelist: unknown): Promise<Response> =>
    await fetch(`${host.url}/pricechange`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ handler: "pricechange", pricelist }),
    });

  testIt("a change of prices comes on standard input and is answered over the configured socket", async () => {
    const response = await changePrices([
      { articlenr: "12312", price: 1899 },
      { articlenr: "99999", price: 5 },
    ]);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toStartWith("application/json");
    expect(await response.json()).toEqual({
      handler: "pricechange",
      changes: [
        { articlenr: "12312", known: true, oldprice: 1999, price: 1899 },
        { articlenr: "99999", known: false, price: 5 },
      ],
    });
  });

  testIt("what the script prints is in the log with the request's id", async () => {
    const response = await changePrices([{ articlenr: "12312", price: 1 }]);
    const requestId = response.headers.get("x-request-id");
    await host.logged(
      "what the script printed",
      (line) => line["type"] === "output" && line["requestId"] === requestId && JSON.stringify(line).includes("answered 1 changes"),
    );
  });

  testIt("a quote comes as an argument and is answered over the socket in the environment", async () => {
    const response = await fetch(`${host.url}/prices/12313?quantity=4`);
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({ articlenr: "12313", quantity: 4, total: 1800 });
  });

  testIt("an article that is not in the catalogue is a problem of the script's own", async () => {
    const response = await fetch(`${host.url}/prices/54321`);
    expect(response.status).toBe(404);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    expect(await response.json()).toEqual({ title: "No such article", status: 404, detail: "There is no article 54321" });
  });

  testIt("requests that break the contract never reach PHP", async () => {
    expect((await fetch(`${host.url}/prices/12?quantity=0`)).status).toBe(400);
    const response = await changePrices([{ articlenr: 12312 }]);
    expect(response.status).toBe(400);
    const { errors } = (await response.json()) as { errors: { path: string }[] };
    expect(errors.map(({ path }) => path).toSorted()).toEqual(["$.pricelist[0].articlenr", "$.pricelist[0].price"]);
  });

  testIt("of twenty requests at once each is answered with its own, over both channels", async () => {
    const indexes = Array.from({ length: 20 }, (_, index) => index);
    const changes = indexes.map(async (index) => await (await changePrices([{ articlenr: "20001", price: cent(index) }])).json());
    expect(await Promise.all(changes)).toEqual(
      indexes.map((index) => ({
        handler: "pricechange",
        changes: [{ articlenr: "20001", known: true, oldprice: 12900, price: cent(index) }],
      })),
    );
    const quotes = indexes.map(async (index) => await (await fetch(`${host.url}/prices/12313?quantity=${index + 1}`)).json());
    expect(await Promise.all(quotes)).toEqual(
      indexes.map((index) => ({ articlenr: "12313", quantity: index + 1, total: 450 * (index + 1) })),
    );
  });
});

/** Whom requests come from behind proxies, for the whole host: in the log, for functions, for services and virtual hosts. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { sendRaw } from "./raw-http.ts";
import { serve, type ServeOptions, serveInVain, type Serving } from "./serving.ts";

const asked = (...lines: string[]): string =>
  `GET /who?are=you HTTP/1.1\r\n${["Host: inner", "X-Request-Id: asked", "Connection: close", ...lines].join("\r\n")}\r\n\r\n`;

/** What a client, or a proxy in front of it, claims. */
const claims = [
  "X-Forwarded-For: 10.0.0.1, 192.0.2.7",
  "X-Forwarded-Proto: https",
  "X-Forwarded-Host: shop.example",
  "X-Forwarded-User: root",
  "Forwarded: for=10.0.0.1",
];

interface Seen {
  readonly url: string;
  readonly client?: string;
  readonly headers: Readonly<Record<string, string>>;
}

async function seenBy(host: Serving, ...lines: string[]): Promise<Seen> {
  return JSON.parse((await sendRaw(host.port, asked(...lines)))?.body ?? "null") as Seen;
}

const functionApp = {
  "urocket-service.yaml": "functions: who.ts\n",
  "who.ts": `export default {
    fetch: (request, ctx) => Response.json({ url: request.url, client: ctx.client, headers: Object.fromEntries(request.headers) }),
  };`,
};

const serviceApp = {
  "urocket-service.yaml": "service: { cmd: bun server.ts }\nscale: { min: 1 }\n",
  "server.ts": `Bun.serve({
    hostname: process.env.HOST,
    port: process.env.PORT,
    fetch: (request) => Response.json({ url: request.url, headers: Object.fromEntries(request.headers) }),
  });`,
};

const trusting: ServeOptions = { flags: ["--trusted-proxies", "127.0.0.0/8"] };

describe("a function", () => {
  test("sees nothing of what a client claims, and neither does the log", async () => {
    using app = appOf(functionApp);
    await using host = await serve(app.folder);
    const { url, client, headers } = await seenBy(host, ...claims);
    expect([url, client]).toEqual(["http://inner/who?are=you", "127.0.0.1"]);
    expect(Object.keys(headers).filter((name) => name.includes("forwarded"))).toEqual([]);
    expect(await host.exchange("asked")).toMatchObject({ client: "127.0.0.1" });
  });

  test("sees the client, its scheme and its host by the word of a trusted proxy, and so does the log", async () => {
    using app = appOf(functionApp);
    await using host = await serve(app.folder, trusting);
    const { url, client, headers } = await seenBy(host, ...claims);
    expect([url, client]).toEqual(["https://shop.example/who?are=you", "192.0.2.7"]);
    expect(headers).toMatchObject({ "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", "x-forwarded-user": "root" });
    expect(await host.exchange("asked")).toMatchObject({ client: "192.0.2.7" });
  });
});

describe("a service", () => {
  test("is told of the peer alone, where it is not trusted", async () => {
    using app = appOf(serviceApp);
    await using host = await serve(app.folder);
    const { headers } = await seenBy(host, ...claims);
    expect(headers).toMatchObject({
      host: "inner",
      forwarded: "for=127.0.0.1;host=inner;proto=http",
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-proto": "http",
      "x-forwarded-host": "inner",
    });
    expect(headers).not.toHaveProperty("x-forwarded-user");
  });

  test("is told of the client and the trusted proxies, and sees the Host as it came", async () => {
    using app = appOf(serviceApp);
    await using host = await serve(app.folder, trusting);
    const { headers } = await seenBy(host, ...claims);
    expect(headers).toMatchObject({
      host: "inner",
      forwarded: "for=192.0.2.7;host=shop.example;proto=https, for=127.0.0.1",
      "x-forwarded-for": "192.0.2.7, 127.0.0.1",
      "x-forwarded-proto": "https",
      "x-forwarded-host": "shop.example",
      "x-forwarded-user": "root",
    });
  });
});

describe("a virtual host", () => {
  const app = { ...functionApp, "urocket-service.yaml": "functions: who.ts\nhosts: [shop.example]\n" };

  test("is found by what a trusted proxy says that was asked for, and not by what a client says", async () => {
    using folder = appOf(app);
    await using host = await serve(folder.folder, trusting);
    expect((await sendRaw(host.port, asked("X-Forwarded-Host: shop.example")))?.status).toBe(200);
    expect((await sendRaw(host.port, asked()))?.status).toBe(404);
    await using wary = await serve(folder.folder);
    expect((await sendRaw(wary.port, asked("X-Forwarded-Host: shop.example")))?.status).toBe(404);
  });
});

test("a trusted proxy that is none is named before anything starts", async () => {
  using app = appOf(functionApp);
  const { exitCode, stderr } = await serveInVain(app.folder, { flags: ["--trusted-proxies", "127.0.0.1,10.0.0.0/40"] });
  expect(exitCode).toBe(2);
  expect(stderr).toContain("10.0.0.0/40");
});

import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadContract } from "../contract/load.ts";
import type { Contract } from "../contract/contract.ts";
import { docsPages, type DocumentedApp } from "./docs-pages.ts";
import type { Page } from "../gateway/pages.ts";

async function contractOf(files: Readonly<Record<string, string>>): Promise<Contract> {
  using folder = appOf(files);
  const loaded = await loadContract(folder.path("openapi.yaml"));
  if (!loaded.ok) throw new Error(loaded.problems.map(({ message }) => message).join("; "));
  return loaded.contract;
}

const contract = await contractOf({
  "openapi.yaml": `openapi: 3.1.0
info: { title: "<b>Pets</b>", version: "1" }
servers: [{ url: "https://elsewhere.example" }]
paths:
  /pets:
    servers: [{ url: "https://elsewhere.example" }]
    get:
      servers: [{ url: "https://elsewhere.example" }]
      responses: { "200": { description: ok, content: { application/json: { schema: { $ref: pet.yaml } } } } }
`,
  "pet.yaml": "type: object\n",
});

const pets: DocumentedApp = { app: { name: "pets", base: "/v1" }, contract };

function ask(apps: readonly DocumentedApp[], path: string): Page {
  const page = docsPages(apps)(path);
  if (page === undefined) throw new Error(`${path} is no page`);
  return page;
}

const text = (page: Page): string => Buffer.from(page.body).toString();
const header = (page: Page, name: string): string | undefined => page.headers[page.headers.indexOf(name) + 1];

test("only what is under /_docs is a page of them", () => {
  const pages = docsPages([pets]);
  expect(["/", "/pets", "/_docsx", "/_doc", "/v1/_docs"].map((path) => pages(path))).toEqual(Array.from({ length: 5 }, () => undefined));
});

test("one app's contract is shown at once, several are offered, those without a contract say what to do", () => {
  expect(header(ask([pets], "/_docs"), "location")).toBe("/_docs/pets/");
  expect(header(ask([pets], "/_docs/pets"), "location")).toBe("/_docs/pets/");
  const choice = ask([pets, { app: { name: "shop", base: "" } }], "/_docs");
  expect(choice.status).toBe(200);
  expect(text(choice)).toContain('<a href="/_docs/pets/">pets</a>');
  expect(text(choice)).toContain("<span>shop</span> <small>has no contract: name one as <code>openapi:</code>");
  const bare = ask([{ app: { name: "shop", base: "" } }], "/_docs");
  expect([bare.status, text(bare).includes("has no contract")]).toEqual([200, true]);
});

test("what is not there is 404, with the way back", () => {
  for (const path of ["/_docs/no", "/_docs/pets/secret.txt", "/_docs/-/1.0.0/viewer.js", "/_docs/<script>/"]) {
    const page = ask([pets], path);
    expect(page.status).toBe(404);
    expect(text(page)).toContain('<a href="/_docs">');
    expect(text(page)).not.toContain("<script>/");
  }
});

test("a title is text, whatever it holds", () => {
  expect(text(ask([pets], "/_docs/pets/"))).toContain("<title>&lt;b&gt;Pets&lt;/b&gt; - pets</title>");
});

test("the contract is one document whose operations are tried out on this host alone", () => {
  const page = ask([pets], "/_docs/pets/openapi.json");
  expect(header(page, "content-type")).toBe("application/json");
  expect(JSON.parse(text(page))).toEqual({
    openapi: "3.1.0",
    info: { title: "<b>Pets</b>", version: "1" },
    servers: [{ url: "/v1" }],
    paths: {
      "/pets": {
        get: {
          responses: { "200": { description: "ok", content: { "application/json": { schema: { $ref: "#/components/schemas/pet" } } } } },
        },
      },
    },
    components: { schemas: { pet: { type: "object" } } },
  });
  expect(JSON.parse(text(ask([{ ...pets, app: { name: "pets", base: "" } }], "/_docs/pets/openapi.json")))).toMatchObject({
    servers: [{ url: "/" }],
  });
});

describe("a page", () => {
  const html = text(ask([pets], "/_docs/pets/"));
  const references = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? "");

  test("has all it needs here, and what it needs is there", () => {
    const assets = references.filter((reference) => reference.startsWith("/_docs/-/"));
    expect(assets.map((asset) => asset.slice(asset.lastIndexOf("/") + 1)).sort()).toEqual([
      "docs.css",
      "start.js",
      "viewer.css",
      "viewer.js",
    ]);
    for (const asset of assets) {
      const page = ask([pets], asset);
      expect(page.status).toBe(200);
      expect(header(page, "content-type")).toBe(asset.endsWith(".js") ? "text/javascript; charset=utf-8" : "text/css; charset=utf-8");
      expect(header(page, "cache-control")).toContain("immutable");
    }
    expect(references.filter((reference) => !reference.startsWith("/_docs") && reference !== "data:,")).toEqual([]);
  });

  test("may load and run nothing of anybody else, and nothing written into it", () => {
    const policy = header(ask([pets], "/_docs/pets/"), "content-security-policy") ?? "";
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self';");
    expect(policy).not.toContain("unsafe");
    expect(html).not.toMatch(/<script>|<style|style=|onload=/);
  });
});

/**
 * The contracts of the apps as pages under /_docs: a viewer that can also try operations out. Everything comes from this
 * package, nothing is fetched from elsewhere, and the pages' Content-Security-Policy holds them to that.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import viewer from "../../vendor/swagger-ui/version.json" with { type: "json" };
import type { Contract } from "../contract/contract.ts";
import type { Page, Pages } from "../gateway/pages.ts";
import { chooserPage, docsStyle, notFoundPage, startScript, viewerPage } from "./docs-markup.ts";

/** Where the pages begin. No app's path is answered there while they are served. */
export const docsPath = "/_docs";

export interface DocumentedApp {
  /** `base`: prefix of its paths, "" or "/v1". */
  readonly app: { readonly name: string; readonly base: string };
  /** Absent: it has none, which the pages say. */
  readonly contract?: Contract;
}

const viewerFolder = join(import.meta.dir, "../../vendor/swagger-ui");

/** An app cannot be called "-": names are labels (RFC 1035). */
const assetsPath = `${docsPath}/-/${viewer.version}`;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const commonHeaders = [
  "content-security-policy",
  policy,
  "x-content-type-options",
  "nosniff",
  "referrer-policy",
  "no-referrer",
  "cross-origin-resource-policy",
  "same-origin",
];

const assets: ReadonlyMap<string, () => Page> = new Map([
  [`${assetsPath}/viewer.js`, once(() => assetPage("text/javascript; charset=utf-8", unpacked("swagger-ui-bundle.js.gz")))],
  [`${assetsPath}/viewer.css`, once(() => assetPage("text/css; charset=utf-8", unpacked("swagger-ui.css.gz")))],
  [`${assetsPath}/start.js`, once(() => assetPage("text/javascript; charset=utf-8", Buffer.from(startScript)))],
  [`${assetsPath}/docs.css`, once(() => assetPage("text/css; charset=utf-8", Buffer.from(docsStyle)))],
]);

/** What is served under /_docs for these apps; undefined for any other path. To be made anew when an app is reloaded. */
export function docsPages(apps: readonly DocumentedApp[]): Pages {
  return (path) => {
    if (path !== docsPath && !path.startsWith(`${docsPath}/`)) return undefined;
    return assets.get(path)?.() ?? appPage(path.slice(docsPath.length), apps);
  };
}

/** @param rest what follows /_docs: "", "/", "/pets/", "/pets/openapi.json". */
function appPage(rest: string, apps: readonly DocumentedApp[]): Page {
  if (rest === "" || rest === "/") return entryPage(apps);
  const [, name = "", file] = rest.split("/", 3);
  const app = apps.find((one) => one.app.name === name);
  if (app?.contract === undefined) return htmlPage(404, notFoundPage(name, app !== undefined, frameOf(apps)));
  if (file === undefined) return redirection(`${docsPath}/${name}/`);
  if (file === "") return htmlPage(200, viewerPage(name, app.contract.title, frameOf(apps)));
  if (file === "openapi.json") return jsonPage(servedContract(app.contract, app.app.base));
  return htmlPage(404, notFoundPage(`${name}/${file}`, false, frameOf(apps)));
}

/** The one contract there is, or a choice. */
function entryPage(apps: readonly DocumentedApp[]): Page {
  const [only, ...others] = apps;
  if (only?.contract !== undefined && others.length === 0) return redirection(`${docsPath}/${only.app.name}/`);
  return htmlPage(200, chooserPage(frameOf(apps)));
}

const frameOf = (apps: readonly DocumentedApp[]) => ({
  docsPath,
  assetsPath,
  apps: apps.map(({ app, contract }) => ({ name: app.name, title: contract?.title })),
});

/** The contract with this host as its only server, so that operations are tried out here and nowhere else. */
function servedContract(contract: Contract, base: string): object {
  const document = withoutServers(contract.bundled());
  return { ...document, servers: [{ url: base === "" ? "/" : base }], paths: mapValues(asRecord(document["paths"]), withoutServersWithin) };
}

function withoutServersWithin(pathItem: unknown): unknown {
  return mapValues(withoutServers(asRecord(pathItem)), (value) => (isRecord(value) ? withoutServers(value) : value));
}

function withoutServers(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { servers: _, ...others } = record;
  return others;
}

function mapValues(record: Readonly<Record<string, unknown>>, map: (value: unknown) => unknown): Record<string, unknown> {
  const mapped: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(record)) mapped[key] = map(value);
  return mapped;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const asRecord = (value: unknown): Readonly<Record<string, unknown>> => (isRecord(value) ? value : {});

function htmlPage(status: number, html: string): Page {
  return {
    status,
    headers: [...commonHeaders, "content-type", "text/html; charset=utf-8", "cache-control", "no-cache"],
    body: Buffer.from(html),
  };
}

function jsonPage(value: object): Page {
  const body = Buffer.from(JSON.stringify(value));
  return { status: 200, headers: [...commonHeaders, "content-type", "application/json", "cache-control", "no-cache"], body };
}

function redirection(location: string): Page {
  return { status: 302, headers: [...commonHeaders, "location", location], body: Buffer.alloc(0) };
}

/** Its path names the version. */
function assetPage(type: string, body: Uint8Array): Page {
  return { status: 200, headers: [...commonHeaders, "content-type", type, "cache-control", "public, max-age=31536000, immutable"], body };
}

/** Kept packed: it is a quarter of the size, and few hosts ever show it. */
const unpacked = (file: string): Uint8Array => gunzipSync(readFileSync(join(viewerFolder, file)));

function once<Value>(make: () => Value): () => Value {
  let made: { readonly value: Value } | undefined;
  return () => (made ??= { value: make() }).value;
}

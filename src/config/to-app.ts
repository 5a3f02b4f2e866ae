/**
 * From the keys as they were read to the app: defaults filled in, paths made absolute, and everything checked that needs
 * more than one key, or the machine.
 */
import { basename, resolve } from "node:path";
import type { App, FunctionsFile, Limits, Recycle, Scale } from "./app.ts";
import type { Context } from "./context.ts";
import { defaults, isLabel, served } from "./description.ts";
import type { ReadServiceFile } from "./description.ts";
import { normalHost } from "./host-names.ts";
import { kindOf } from "./machine.ts";
import { checkTemplate, requestPath } from "./path-template.ts";
import { containerOf } from "./to-container.ts";
import { sourceFileOf } from "./to-function.ts";
import { listenersOf } from "./to-listeners.ts";
import { operationsOf } from "./to-operations.ts";
import { serviceOf } from "./to-service.ts";
import { checkReplySocketPath } from "./to-socket.ts";
import { quoted } from "./value.ts";

/**
 * There is no app when there is no name; every other problem is told to the context's reading only, and then the app is
 * not to be used. The contract is there whenever its file is.
 */
export function toApp(read: ReadServiceFile, context: Context): { readonly app?: App; readonly openapi?: string } {
  const name = nameOf(read, context);
  const openapi = documentOf(read, context);
  const socket = read.socket && checkReplySocketPath(read.socket, context);
  const functions = functionsOf(read, context);
  const service = serviceOf(read, context);
  const confined = containerOf(read, context);
  const operations = operationsOf(read, context);
  const listeners = listenersOf(read, context);
  const named = openapi === undefined ? {} : { openapi };
  if (name === undefined) return named;
  const app: App = {
    name,
    folder: context.folder,
    file: context.file,
    ...named,
    base: baseOf(read, context),
    hosts: [...new Set((read.hosts?.value ?? []).map((host) => normalHost(host.value)))],
    ...(socket === undefined ? {} : { socket }),
    limits: limitsOf(read),
    scale: scaleOf(read, context),
    ...confined,
    data: read.data?.value ?? false,
    recycle: recycleOf(read),
    balance: read.balance?.value ?? "least-requests",
    env: read.env?.value ?? [],
    timeoutMs: read.timeout?.value ?? defaults.timeoutMs,
    secrets: [...new Set((read.secrets?.value ?? []).map((secret) => secret.value))],
    ...(functions === undefined ? {} : { functions }),
    ...(service === undefined ? {} : { service }),
    operations,
    listeners,
  };
  return { app, ...named };
}

function nameOf(read: ReadServiceFile, { folder, reading }: Context): string | undefined {
  if (read.name !== undefined) return read.name.value;
  const label = labelOf(basename(folder));
  if (label === undefined && !read.given.has("name"))
    reading.error(
      { offset: 0 },
      `The app has no name, and its folder's name ${quoted(basename(folder))} does not make one`,
      "Add `name:` with a name such as pets",
    );
  return label;
}

/** A folder's name as an RFC 1035 label: "My Pets 2" → "my-pets-2". */
export function labelOf(folderName: string): string | undefined {
  const label = folderName
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replace(/^[^a-z]+/, "")
    .slice(0, 63)
    .replace(/-+$/, "");
  return isLabel(label) ? label : undefined;
}

function documentOf(read: ReadServiceFile, { folder, reading }: Context): string | undefined {
  if (read.openapi === undefined) {
    if (!served.some((key) => read.given.has(key)))
      reading.error(
        { offset: 0 },
        `The app has nothing to serve: there is none of ${served
          .map((key) => `\`${key}\``)
          .join(", ")
          .replace(/, ([^,]*)$/, " and $1")}`,
        "Add `paths:` with an operation",
      );
    return undefined;
  }
  const { value, at } = read.openapi;
  const path = resolve(folder, value);
  const kind = kindOf(path);
  if (kind === "file") return path;
  reading.lack(path);
  if (/^[a-z]+:\/\//i.test(value))
    reading.error(
      at,
      `The document ${quoted(value)} is an address; nothing is fetched`,
      "Save it into the app's folder and write its file name",
    );
  else if (kind === "missing") reading.error(at, `Cannot find the OpenAPI document ${quoted(value)}`, `There is no ${path}`);
  else reading.error(at, `The OpenAPI document ${quoted(value)} is not a file that can be read`);
  return undefined;
}

function baseOf(read: ReadServiceFile, { reading }: Context): string {
  if (read.base === undefined) return "";
  const written = read.base.value;
  const checked = checkTemplate(written.replace(/\/$/, ""));
  if (!checked.ok) reading.error(read.base.at, `The base ${quoted(written)} ${checked.message}`);
  else if (requestPath(checked.path) !== checked.path)
    reading.error(read.base.at, `The base ${quoted(written)} has a query or a fragment`, "Only the path of a request is compared");
  else if (checked.parameters.length > 0)
    reading.error(read.base.at, `The base ${quoted(written)} has a parameter`, "Parameters belong into the paths");
  else return checked.path === "/" ? "" : checked.path;
  return "";
}

function functionsOf({ functions }: ReadServiceFile, context: Context): FunctionsFile | undefined {
  const file = functions && sourceFileOf(functions.value, functions.at, context);
  return functions && file !== undefined ? { file, place: context.reading.placeOf(functions.key) } : undefined;
}

function recycleOf(read: ReadServiceFile): Recycle {
  const { age, requests, memory } = read.recycle?.value ?? {};
  return {
    ...(age ? { ageMs: age.value } : {}),
    ...(requests ? { requests: requests.value } : {}),
    ...(memory ? { memoryBytes: memory.value } : {}),
  };
}

function limitsOf(read: ReadServiceFile): Limits {
  const { memory, cpu, pids, tmp, body } = read.limits?.value ?? {};
  return {
    ...(memory ? { memoryBytesMax: memory.value } : {}),
    ...(cpu ? { cpuMax: cpu.value } : {}),
    ...(pids ? { pidsMax: pids.value } : {}),
    tmpBytesMax: tmp?.value ?? defaults.tmpBytesMax,
    bodyBytesMax: body?.value ?? defaults.bodyBytesMax,
  };
}

function scaleOf(read: ReadServiceFile, { reading }: Context): Scale {
  const { min, max, concurrency, queue, idle } = read.scale?.value ?? {};
  const least = min?.value ?? defaults.scaleMin;
  const most = max?.value ?? Math.max(least, defaults.scaleMax);
  if (min && max && least > most)
    reading.error(min.at, `"scale.min" (${least}) is more than "scale.max" (${most})`, "Raise max or lower min");
  return {
    min: least,
    max: most,
    concurrency: concurrency?.value ?? (read.given.has("service") ? defaults.serviceConcurrency : defaults.concurrency),
    queue: queue?.value ?? defaults.queue,
    idleMs: idle?.value ?? defaults.idleMs,
  };
}

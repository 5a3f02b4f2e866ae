/**
 * The same generated requests, sent over HTTP to a gateway whose operations all answer 200: what routing, the HTTP parser
 * and the gateway do to a request must not change the contract's judgement, and nothing may be answered 5xx.
 */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { Admission } from "../../src/gateway/admission.ts";
import type { Dispatch } from "../../src/gateway/dispatch.ts";
import { Gateway } from "../../src/gateway/gateway.ts";
import { openHttpFront } from "../../src/gateway/http-front.ts";
import { type ServedApp, Traffic } from "../../src/gateway/operation.ts";
import { Router } from "../../src/gateway/router.ts";
import { loadApp } from "../../src/host/load-app.ts";
import { routesOf } from "../../src/host/revision.ts";
import { cornerDocuments, exampleDocuments, otherDocuments } from "./documents.ts";
import { type GeneratedRequest, generateRequests } from "./generator.ts";

const receipt = {
  waitMs: 0,
  spawnMs: 0,
  runMs: 0,
  replyMs: 0,
  totalMs: 0,
  cpuUserMs: 0,
  cpuSystemMs: 0,
  endedBy: "itself",
  outputBytesDropped: 0,
};
const notHere = (): never => {
  throw new Error("every operation here is a program's");
};
const atOnce: Dispatch = {
  open: (_request, _payload, sink) => {
    queueMicrotask(() => {
      sink.reply({ status: 200, headers: [], waitMs: 0, spawnMs: 0, runMs: 0 }, new Uint8Array(0), true);
      sink.ended(receipt);
    });
    return { consumed: () => {}, verdict: () => {}, reset: () => {} };
  },
  call: notHere,
  isFetch: notHere,
  connect: notHere,
  place: notHere,
};

const gateway = new Gateway({ log: { exchange: () => {}, output: () => {}, connection: () => {}, host: () => {} }, timing: false });
const front = openHttpFront({ address: "127.0.0.1", port: 0 }, gateway.handle);
afterAll(async () => {
  await front.close();
  gateway.close();
});

async function serveDocument(file: string, requests: readonly GeneratedRequest[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "urocket-http-"));
  try {
    const paths: Record<string, Record<string, object>> = {};
    for (const { operation, method } of requests) {
      const path = operation.slice(method.length + 1);
      (paths[path] ??= {})[method.toLowerCase()] = { inject: { cmd: "true", encoding: "raw" } };
    }
    await Bun.write(join(folder, "urocket-service.json"), JSON.stringify({ name: "generated", openapi: file, paths }));
    const loaded = await loadApp(folder);
    if (!loaded.ok) throw new Error(loaded.problems.map((problem) => problem.message).join("\n"));
    const places = new Admission(100, 100);
    const served: ServedApp = {
      name: "generated",
      limits: loaded.app.limits,
      dispatch: atOnce,
      traffic: new Traffic(),
    };
    gateway.route(new Router(routesOf(loaded, served, { program: places, function: places, service: places })));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function statusOf({ method, url, headers, body }: GeneratedRequest): Promise<number> {
  const response = await fetch(front.url + url, { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) });
  await response.arrayBuffer();
  return response.status;
}

/** At most so many requests of one document: every operation of a small one, a sample of a large one. */
const requestsMax = 2000;

for (const file of [...cornerDocuments(), ...exampleDocuments(), ...otherDocuments()]) {
  test(`requests of ${basename(file)} are judged alike over HTTP`, async () => {
    const all = await generateRequests(file, 7);
    const step = Math.max(1, all.length / requestsMax);
    const requests = all.filter((_, index) => Math.floor(index % step) === 0);
    await serveDocument(file, requests);
    const counts = { valid: 0, accepted: 0, mutations: 0, refused: 0 };
    const surprises: string[] = [];
    for (const request of requests) {
      const status = await statusOf(request);
      expect(status).toBeLessThan(500);
      const outcome = status === 200 ? "accepted" : "refused";
      if (request.expected === "accepted") counts.valid++;
      else counts.mutations++;
      if (outcome !== request.expected) surprises.push(`${status} ${request.method} ${request.url} (${request.why})`);
      else if (outcome === "accepted") counts.accepted++;
      else counts.refused++;
    }
    expect({ surprises, few: counts.accepted >= counts.valid * 0.995 && counts.refused >= counts.mutations * 0.99 }).toMatchObject({
      few: true,
    });
  });
}

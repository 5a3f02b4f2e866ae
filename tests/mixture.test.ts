/** Everything at once: programs of every conduct, clients that leave, reloads, a killed runner. Nothing may be lost or stay held. */
import { describe, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { type Serving, serve, startRequest } from "./serving.ts";

/** What each conduct may be answered with; 502 besides, for those whose runner was killed. */
const conducts = {
  quick: { statuses: [200], program: `echo "quick $n" | urocket reply --type text/plain` },
  silent: { statuses: [502], program: "exit 3" },
  killed: { statuses: [502], program: "kill -KILL $$" },
  hang: { statuses: [504], program: "sleep 1000 & sleep 1000" },
  deaf: { statuses: [504], program: "trap '' TERM; sleep 1000; sleep 1000" },
  twice: { statuses: [200], program: `echo "twice $n" | urocket reply --type text/plain; echo again | urocket reply` },
  large: { statuses: [200], program: "head -c 1000000 /dev/zero | urocket reply --type application/octet-stream" },
  leftover: { statuses: [200, 504], program: `setsid sleep 1000 & echo "leftover $n" | urocket reply --type text/plain` },
  loud: { statuses: [200], program: `yes noise | head -n 5000; echo "loud $n" | urocket reply --type text/plain` },
} as const;
type Conduct = keyof typeof conducts;

/** Conducts that only the deadline ends, whole. */
const endless: ReadonlySet<string> = new Set<Conduct>(["hang", "deaf", "leftover"]);
const concurrency = 8;
const rounds = 10;
const clients = 12;

const serviceFile = (revision: number): string => `
name: mixture
env: [REVISION=${revision}]
scale: { max: 2, concurrency: ${concurrency}, queue: 1000 }
paths:
${Object.keys(conducts)
  .map((name) => `  /${name}/{n}:\n    get: { inject: { cmd: ./${name}.sh, timeout: ${endless.has(name) ? "1s" : "60s"} } }\n`)
  .join("")}
  /wait/{n}:
    get: { inject: { cmd: ./wait.sh, timeout: 20s } }
`;

interface Asked {
  readonly conduct: Conduct;
  readonly requestId: string;
  /** "broken": its reply, of many pieces, ended in its midst. */
  readonly outcome: "left" | "broken" | number;
}

async function ask(host: Serving, conduct: Conduct, round: number): Promise<Asked> {
  const requestId = `${conduct}-${round}`;
  // Every fifth client loses patience at some point of its exchange.
  const leaves = round % 5 === 4;
  const signal = leaves ? AbortSignal.timeout(20 + 7 * round) : null;
  const answer = await read(`${host.url}/${conduct}/${round}`, { headers: { "x-request-id": requestId }, signal });
  if (answer === "cut off") {
    if (leaves) return { conduct, requestId, outcome: "left" };
    if (conduct === "large") return { conduct, requestId, outcome: "broken" };
    throw new Error(`${requestId} was cut off`);
  }
  const { status, headers, text } = answer;
  expect(headers.get("x-request-id")).toBe(requestId);
  // An answer is its own request's, or a problem.
  if (status === 200) expect(conduct === "large" ? `${text.length}` : text).toBe(conduct === "large" ? "1000000" : `${conduct} ${round}\n`);
  return { conduct, requestId, outcome: status };
}

async function read(
  url: string,
  init: RequestInit,
): Promise<(Pick<Response, "status" | "headers"> & { readonly text: string }) | "cut off"> {
  try {
    const response = await fetch(url, init);
    const { status, headers } = response;
    return { status, headers, text: await response.text() };
  } catch {
    return "cut off";
  }
}

/** Each conduct once a round, by a few clients. */
async function askAll(host: Serving): Promise<Asked[]> {
  const names = Object.keys(conducts) as Conduct[];
  const ahead = Array.from({ length: rounds }, (_, round) => names.map((conduct) => ({ conduct, round }))).flat();
  const outcomes: Asked[] = [];
  const client = async (): Promise<void> => {
    for (let next = ahead.shift(); next !== undefined; next = ahead.shift()) outcomes.push(await ask(host, next.conduct, next.round));
  };
  await Promise.all(Array.from({ length: clients }, client));
  return outcomes;
}

describe("a mixture of everything", () => {
  test("every request has its own answer and one line of the log, and afterwards every place is free", async () => {
    using app = appOf({
      "urocket-service.yaml": serviceFile(0),
      "wait.sh": `#!/bin/sh\n: >"waiting/$UROCKET_PARAM_N"\nwhile [ ! -e go ]; do sleep 0.02; done\necho waited | urocket reply --type text/plain\n`,
      "waiting/.keep": "",
    });
    for (const [name, { program }] of Object.entries(conducts)) app.write(`${name}.sh`, `#!/bin/sh\nn=$UROCKET_PARAM_N\n${program}\n`);
    await using host = await serve(app.folder);

    const asked = askAll(host);
    asked.catch(() => undefined);
    await host.exchange("quick-2");
    app.write("urocket-service.yaml", serviceFile(1));
    host.signal("SIGHUP");
    await host.said(/mixture: reloaded/);
    await host.exchange("quick-5");
    const [runner] = host.runners();
    if (runner !== undefined) process.kill(runner.pid, "SIGKILL");

    const outcomes = await asked;
    expect(outcomes).toHaveLength(rounds * Object.keys(conducts).length);
    const wrong = outcomes.filter(
      ({ conduct, outcome }) =>
        typeof outcome === "number" && outcome !== 502 && !conducts[conduct].statuses.some((status) => status === outcome),
    );
    expect(wrong).toEqual([]);
    // A killed runner may cost what it ran, and no more.
    expect(
      outcomes.filter(({ conduct, outcome }) => outcome === "broken" || (outcome === 502 && conduct !== "silent" && conduct !== "killed"))
        .length,
    ).toBeLessThanOrEqual(concurrency);

    for (const { requestId } of outcomes) await host.exchange(requestId);
    for (const { requestId, outcome } of outcomes) {
      const lines = host.log.filter((line) => line["type"] === "exchange" && line["requestId"] === requestId);
      expect(lines).toHaveLength(1);
      if (outcome === "broken") expect(lines[0]).toMatchObject({ status: 200, error: "runner-died" });
      else if (outcome !== "left") expect(lines[0]?.["status"]).toBe(outcome);
    }
    await eventually("no program is left", () => host.processes().length === 1 + host.runners().length);

    // As many as there are places, and one more that has to wait for them.
    const waiting = Array.from({ length: concurrency + 1 }, (_, index) => startRequest(host, `/wait/${index}`));
    const started = (): number => readdirSync(app.path("waiting")).length - 1;
    await eventually("every place is taken", () => started() === concurrency);
    app.write("go", "");
    for (const request of waiting) expect((await request).status).toBe(200);
    expect(started()).toBe(concurrency + 1);
  }, 120_000);
});

/** Changing a service file and contract under a running host. */
import { describe, expect, test } from "bun:test";
import { cpSync, renameSync } from "node:fs";
import { answerModule } from "./answering.ts";
import { type AppFolder, appOf } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { type Serving, serve, startRequest } from "./serving.ts";

const serviceFile = (greeting: string, more = ""): string => `
name: changing
timeout: 20s
scale: { max: 1 }
openapi: openapi.yaml
paths:
  /greet:
    get: { inject: { cmd: ./greet.sh, env: [GREETING=${greeting}] } }
  /slow:
    get: { inject: { cmd: bun slow.ts } }
${more}`;

const contract = (limit: number): string => `
openapi: 3.1.0
info: { title: Changing, version: 1.0.0 }
paths:
  /greet:
    get:
      parameters: [{ name: n, in: query, schema: { type: integer, maximum: ${limit} } }]
      responses: { "200": { description: ok } }
`;

const changingApp = (): AppFolder =>
  appOf({
    "answer.ts": answerModule,
    "openapi.yaml": contract(10),
    "urocket-service.yaml": serviceFile("hello"),
    "greet.sh": `#!/bin/sh\nprintf '%s' "$GREETING" | urocket reply --type text/plain\n`,
    "slow.ts": `
import { answer, fileAppears } from "./answer.ts";
await Bun.write("started", "");
await fileAppears("go");
await answer("finished", { headers: { "content-type": "text/plain" } });
`,
  });

const greeting = async (host: Serving): Promise<string> => await (await fetch(`${host.url}/greet`)).text();

/** Asks on several connections without a pause, until told to stop; returns every answer that was not a 200. */
function keepAsking(host: Serving): { stop(): Promise<{ asked: number; failures: string[] }> } {
  let isOver = false;
  let asked = 0;
  const failures: string[] = [];
  const askers = Array.from({ length: 4 }, async () => {
    while (!isOver) {
      asked++;
      const outcome = await fetch(`${host.url}/greet`).then(
        async (response) => (response.status === 200 ? undefined : `${response.status} ${await response.text()}`),
        (error: unknown) => String(error),
      );
      if (outcome !== undefined) failures.push(outcome);
    }
  });
  return {
    stop: async () => {
      isOver = true;
      await Promise.all(askers);
      return { asked, failures };
    },
  };
}

/** As editors save: beside it, then renamed over it. */
function replaceFile(app: AppFolder, name: string, text: string): void {
  app.write(`${name}.new`, text);
  renameSync(app.path(`${name}.new`), app.path(name));
}

/** A request to /slow, whose program replies only when the new service file is served already. */
async function finishesAcrossReload(app: AppFolder, host: Serving, next: string): Promise<void> {
  const slow = startRequest(host, "/slow");
  await eventually("its program runs", async () => await Bun.file(app.path("started")).exists());
  app.write("urocket-service.yaml", next);
  host.signal("SIGHUP");
  await eventually("the new greeting is given", async () => (await greeting(host)) === "good day");
  app.write("go", "");
  const response = await slow;
  expect(response.status).toBe(200);
  expect(await response.text()).toBe("finished");
}

describe("HUP", () => {
  test("a changed service file and contract are taken over", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    expect(await greeting(host)).toBe("hello");
    expect((await fetch(`${host.url}/greet?n=50`)).status).toBe(400);
    app.write("urocket-service.yaml", serviceFile("good day", "  /more:\n    get: { inject: { cmd: ./greet.sh } }\n"));
    app.write("openapi.yaml", contract(100));
    host.signal("SIGHUP");
    await eventually("the new greeting is given", async () => (await greeting(host)) === "good day");
    expect((await fetch(`${host.url}/more`)).status).toBe(200);
    expect((await fetch(`${host.url}/greet?n=50`)).status).toBe(200);
  });

  test("a route that is taken out is gone", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    app.write("urocket-service.yaml", serviceFile("good day").replace(/ {2}\/slow:\n.*\n/, ""));
    host.signal("SIGHUP");
    await eventually("the new greeting is given", async () => (await greeting(host)) === "good day");
    expect((await fetch(`${host.url}/slow`)).status).toBe(404);
  });

  test("a bad service file is refused with its line, and the good one stays", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    app.write("urocket-service.yaml", serviceFile("bad").replace("timeout: 20s", "timeout: soon"));
    host.signal("SIGHUP");
    await host.said(/urocket-service\.yaml:3:/);
    expect(await greeting(host)).toBe("hello");
    app.write("urocket-service.yaml", serviceFile("mended"));
    host.signal("SIGHUP");
    await eventually("the mended one is taken", async () => (await greeting(host)) === "mended");
  });

  test("a bad contract is refused, and the good one stays", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    app.write("openapi.yaml", "openapi: 3.1.0\npaths: [");
    host.signal("SIGHUP");
    await host.said(/openapi\.yaml/);
    expect(await greeting(host)).toBe("hello");
    expect((await fetch(`${host.url}/greet?n=50`)).status).toBe(400);
  });

  test("an exchange that is open finishes by the configuration that it began with", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    await finishesAcrossReload(app, host, serviceFile("good day").replace(/ {2}\/slow:\n.*\n/, ""));
  });

  test("a program that replies at the configured socket is heard after a reload, when that is the new version's", async () => {
    using app = changingApp();
    const fixed = (greeting: string): string => serviceFile(greeting, "socket: fixed.sock\n").replace("bun slow.ts", "./slow.sh");
    app.write("urocket-service.yaml", fixed("hello"));
    app.write(
      "slow.sh",
      `#!/bin/sh
touch started
while [ ! -e go ]; do sleep 0.01; done
printf finished | UROCKET_SOCKET="$PWD/fixed.sock" urocket reply --type text/plain
`,
    );
    await using host = await serve(app.folder);
    await finishesAcrossReload(app, host, fixed("good day"));
  });

  test("many reloads under load lose no request and leave no runner behind", async () => {
    using app = changingApp();
    await using host = await serve(app.folder);
    await greeting(host);
    const asking = keepAsking(host);
    for (let round = 0; round < 10; round++) {
      app.write("urocket-service.yaml", serviceFile(`round-${round}`));
      host.signal("SIGHUP");
      await eventually(`round ${round} is taken`, async () => (await greeting(host)) === `round-${round}`);
    }
    const { asked, failures } = await asking.stop();
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    await eventually("one runner is left", () => host.runners().length === 1);
  }, 90_000);
});

describe("--watch", () => {
  test("good and bad edits under load: the good ones are taken, the bad one told, and no request is lost", async () => {
    using app = changingApp();
    await using host = await serve(app.folder, { flags: ["--watch"] });
    await greeting(host);
    const asking = keepAsking(host);
    replaceFile(app, "urocket-service.yaml", serviceFile("renamed"));
    await eventually("the renamed file is taken", async () => (await greeting(host)) === "renamed");
    app.write("urocket-service.yaml", serviceFile("written"));
    await eventually("the written file is taken", async () => (await greeting(host)) === "written");
    app.write("urocket-service.yaml", serviceFile("bad").replace("timeout: 20s", "timeout: soon"));
    await host.said(/urocket-service\.yaml:3:/);
    expect(await greeting(host)).toBe("written");
    replaceFile(app, "urocket-service.yaml", serviceFile("mended"));
    await eventually("the mended file is taken", async () => (await greeting(host)) === "mended");
    const { failures } = await asking.stop();
    expect(failures).toEqual([]);
  });

  test("a changed contract is taken too", async () => {
    using app = changingApp();
    await using host = await serve(app.folder, { flags: ["--watch"] });
    expect((await fetch(`${host.url}/greet?n=50`)).status).toBe(400);
    replaceFile(app, "openapi.yaml", contract(100));
    await eventually("the new limit holds", async () => (await fetch(`${host.url}/greet?n=50`)).status === 200);
  });

  test("a folder that is replaced is watched on, as a checkout or a deployment does it", async () => {
    using app = changingApp();
    await using host = await serve(app.folder, { flags: ["--watch"] });
    expect(await greeting(host)).toBe("hello");
    const next = `${app.folder}-next`;
    cpSync(app.folder, next, { recursive: true });
    renameSync(app.folder, `${app.folder}-before`);
    await host.said(/There is no such folder/);
    renameSync(next, app.folder);
    app.write("urocket-service.yaml", serviceFile("deployed"));
    await eventually("the new folder's greeting is given", async () => (await greeting(host)) === "deployed");
    app.write("urocket-service.yaml", serviceFile("edited"));
    await eventually("a change in it is taken", async () => (await greeting(host)) === "edited");
  });
});

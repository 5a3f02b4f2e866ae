/** What programs are given: payloads by argument and by standard input, at the limits, and the environment. */
import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { sendRaw } from "./raw-http.ts";
import { servedApp } from "./served-app.ts";
import { serve } from "./serving.ts";
import { requireRoot, requireTool } from "./system-tools.ts";

const kib = 1024;
const mib = 1024 * kib;

const files = {
  "urocket-service.yaml": `
name: payloads
timeout: 20s
env: [FROM_APP=app, BOTH=app]
paths:
  /argument:
    post:
      inject: { cmd: ./argument.sh, channel: cmdline, encoding: raw }
  /placed:
    post:
      inject: { cmd: [./arguments.sh, first, "--payload={{jsonpayload}}", last], channel: cmdline }
  /stdin:
    post:
      inject: { cmd: ./stdin.sh, channel: stdin, encoding: raw }
  /unread:
    post:
      inject: { cmd: ./unread.sh, channel: stdin, encoding: raw }
  /environment/{thing}/{other-thing}:
    get:
      inject: { cmd: ./env.sh, env: [FROM_OPERATION=operation, BOTH=operation] }
`,
  "argument.sh": `#!/bin/sh\nprintf '%s' "$1" | wc -c | urocket reply --type text/plain\n`,
  "arguments.sh": `#!/bin/sh\nprintf '<%s>' "$@" | urocket reply --type text/plain\n`,
  "stdin.sh": "#!/bin/sh\nwc -c | urocket reply --type text/plain\n",
  "unread.sh": "#!/bin/sh\necho unread | urocket reply --type text/plain\n",
  "env.sh": "#!/bin/sh\nenv -0 | urocket reply --type text/plain\n",
};

describe("payloads", () => {
  const host = servedApp(() => appOf(files), { env: { API_KEY: "do not tell", AWS_SECRET_ACCESS_KEY: "neither this", TZ: "UTC" } });

  const post = async (path: string, body: string | Uint8Array | ReadableStream): Promise<Response> =>
    await fetch(host.url + path, { method: "POST", headers: { "content-type": "application/octet-stream" }, body });

  test("a payload of 127 KiB fits in an argument", async () => {
    const response = await post("/argument", "x".repeat(127 * kib));
    expect(response.status).toBe(200);
    expect((await response.text()).trim()).toBe(`${127 * kib}`);
  });

  test("a payload of 129 KiB does not, and the client is told so with advice", async () => {
    const response = await post("/argument", "x".repeat(129 * kib));
    expect(response.status).toBe(413);
    const { detail } = (await response.json()) as { detail: string };
    expect(detail).toContain(`${129 * kib}`);
    expect(detail).toContain("stdin");
  });

  test("the payload takes the place of {{jsonpayload}} in whichever argument holds it", async () => {
    const response = await fetch(`${host.url}/placed`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ text: "a 'b' \"c\" $(d) ; e" }),
    });
    expect(await response.text()).toBe(`<first><--payload={"text":"a 'b' \\"c\\" $(d) ; e"}><last>`);
  });

  test("10 MiB come by standard input", async () => {
    const response = await post("/stdin", new Uint8Array(10 * mib));
    expect(response.status).toBe(200);
    expect((await response.text()).trim()).toBe(`${10 * mib}`);
  });

  test("10 MiB and a byte are refused with the limit, announced or not", async () => {
    const bytes = new Uint8Array(10 * mib + 1);
    const announced = await sendRaw(
      host.port,
      `POST /stdin HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes.length}\r\n\r\n`,
    );
    expect(announced?.status).toBe(413);
    expect(announced?.body).toContain("10");
    const whole = await post("/stdin", bytes);
    expect(whole.status).toBe(413);
    const inPieces = await post("/stdin", new Blob([bytes]).stream());
    expect(inPieces.status).toBe(413);
    for (const response of [whole, inPieces]) {
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
      expect(response.headers.get("x-request-id")).toBeString();
    }
  });

  test("a program that does not read its standard input replies all the same", async () => {
    const response = await post("/unread", new Uint8Array(2 * mib));
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("unread\n");
  });

  test("a payload with a NUL cannot be an argument: the client is told, and nothing breaks", async () => {
    const response = await post("/argument", "a\0b");
    expect(response.status).toBe(400);
    expect((await post("/argument", "a")).status).toBe(200);
  });

  test("a program's environment holds what the service file and the request give it, and of the host's PATH, LANG and TZ", async () => {
    const requestId = `environment-${crypto.randomUUID()}`;
    const response = await fetch(`${host.url}/environment/a%20b/%C3%A9?colour=red&x=1`, {
      headers: {
        "x-request-id": requestId,
        "x-custom": "not passed",
        cookie: "session=not-passed",
        traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        tracestate: "vendor=value",
      },
    });
    expect(response.status).toBe(200);
    const environment = Object.fromEntries(
      (await response.text())
        .split("\0")
        .filter(Boolean)
        .map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    );
    expect(environment).toMatchObject({
      URIPATH: "/environment/a%20b/%C3%A9",
      REQUEST_METHOD: "GET",
      QUERY_STRING: "colour=red&x=1",
      UROCKET_PARAM_THING: "a b",
      UROCKET_PARAM_OTHER_THING: "é",
      FROM_APP: "app",
      FROM_OPERATION: "operation",
      BOTH: "operation",
      TZ: "UTC",
      TRACESTATE: "vendor=value",
    });
    expect(environment["UROCKET_REPLY"]).toBe(`/uri/${environment["REQUEST_ID"]}`);
    expect(environment["TRACEPARENT"]).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-0[01]$/);
    expect(Number(environment["UROCKET_DEADLINE_MS"])).toBeGreaterThan(Date.now() - 60_000);
    const known =
      /^(PATH|LANG|TZ|PWD|OLDPWD|SHLVL|_|FROM_APP|FROM_OPERATION|BOTH|URIPATH|REQUEST_ID|REQUEST_METHOD|QUERY_STRING|CONTENT_TYPE|CONTENT_LENGTH|TRACEPARENT|TRACESTATE|UROCKET_(SOCKET|REPLY|INSTANCE|DEADLINE_MS|PARAM_THING|PARAM_OTHER_THING))$/;
    expect(Object.keys(environment).filter((name) => !known.test(name))).toEqual([]);
    expect(JSON.stringify(environment)).not.toMatch(/do not tell|neither this|not.passed/);
  });

  test("nothing of the host's environment but PATH, LANG and TZ reaches a program through its runner either", async () => {
    const response = await fetch(`${host.url}/environment/a/b`);
    expect(await response.text()).not.toMatch(/API_KEY|AWS_SECRET|UROCKET_TOKEN|UROCKET_LINK/);
  });
});

/** Only root may start programs as somebody else. */
const asRoot = process.getuid?.() === 0 ? requireTool("curl") : requireRoot;

describe("user", () => {
  asRoot("a program runs as the user that its operation names, and can reply; others run as before", async () => {
    using app = appOf({
      "urocket-service.yaml": `
name: users
paths:
  /nobody:
    get: { inject: { cmd: ./who.sh, user: nobody } }
  /self:
    get: { inject: { cmd: ./who.sh } }
`,
      "who.sh": `#!/bin/sh\nid -un | curl --silent --show-error --fail --unix-socket "$UROCKET_SOCKET" --header 'Content-Type: text/plain' --data-binary @- "http://localhost$UROCKET_REPLY"\n`,
    });
    chmodSync(dirname(app.folder), 0o755);
    await using host = await serve(app.folder);
    expect(await (await fetch(`${host.url}/nobody`)).text()).toBe("nobody\n");
    expect(await (await fetch(`${host.url}/self`)).text()).toBe("root\n");
  });
});

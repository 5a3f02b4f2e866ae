/** Starting: what a host needs, what it refuses, what it says, and the reply socket's path. */
import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, lstatSync } from "node:fs";
import { createServer } from "node:net";
import { appOf, copyOfExample } from "./app-folder.ts";
import { eventually } from "./eventually.ts";
import { serve, serveInVain } from "./serving.ts";

const answering = "#!/bin/sh\nurocket reply --type text/plain <<E\nhere I am\nE\n";
const oneOperation = (rest = ""): Record<string, string> => ({
  "urocket-service.yaml": `name: small\n${rest}paths:\n  /here:\n    get:\n      inject: { cmd: ./here.sh }\n`,
  "here.sh": answering,
});

describe("the sample of the first stage", () => {
  /** As it was, but for its working directory. `echo` prints and never replies. */
  const sample = (wd: string, cmd = "/usr/bin/echo"): string => `
paths:
  /get/pets:
    get:
      validatein: false
      inject:
        wd: ${wd}
        env:
          - MYENV=CI
        cmd: ${cmd}
        channel: "cmdline"
        encoding: json
      logstdout: true
      outtake: usocket://uri/{req_id}
      validate-out: false
`;

  test("runs unchanged: the payload is echo's argument and lands in the log, and the client is told that nobody replied", async () => {
    using app = appOf({ "scripts/php/.keep": "" });
    app.write("urocket-service.yaml", sample(app.path("scripts/php")));
    await using host = await serve(app.folder);
    const response = await fetch(`${host.url}/get/pets?tag=dog`);
    expect(response.status).toBe(502);
    const line = await host.logged("echo's line", (entry) => entry["type"] === "output");
    expect(JSON.stringify(line)).toContain("dog");
    expect(line["requestId"]).toBe(response.headers.get("x-request-id"));
  });

  test("a program in echo's place that replies is a service, with either spelling, and without the path's slash", async () => {
    using app = appOf({ "scripts/reply.sh": `#!/bin/sh\nprintf '%s %s %s' "$MYENV" "$URIPATH" "$2" | urocket reply --type text/plain\n` });
    const text = `servicename: sample\nsocketpath: ${app.path("sample.sock")}\n${sample(app.path("scripts"), "./reply.sh --payload '{{jsonpayload}}'")}`;
    for (const edit of [
      (it: string) => it,
      (it: string) =>
        it
          .replace("/get/pets", "get/pets")
          .replace("validatein", "validate-in")
          .replace("validate-out", "validateout")
          .replace("servicename", "name")
          .replace("socketpath", "socket"),
    ]) {
      app.write("urocket-service.yaml", edit(text));
      await using host = await serve(app.folder);
      expect(await (await fetch(`${host.url}/get/pets?tag=dog`)).text()).toBe('CI /get/pets {"tag":"dog"}');
    }
  });
});

describe("what is refused", () => {
  test("another scheme of outtake: exit 2, with the line", async () => {
    using app = appOf({
      "urocket-service.yaml":
        "name: small\npaths:\n  /here:\n    get:\n      inject: { cmd: ./here.sh }\n      outtake: http://uri/{req_id}\n",
      "here.sh": answering,
    });
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("urocket-service.yaml:6:");
    expect(stderr).toContain("outtake: http://uri/{req_id}");
    expect(stderr).toContain("usocket");
  });

  test("a service file with several mistakes is told all of them at once", async () => {
    using app = appOf({
      "urocket-service.yaml":
        "name: small\ntimeuot: 3s\npaths:\n  /here:\n    get:\n      inject: { cmd: ./here.sh, chanel: stdin }\n      logstdout: maybe\n",
    });
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(2);
    for (const place of [":2:1", ":6:", ":7:"]) expect(stderr).toContain(`urocket-service.yaml${place}`);
    expect(stderr).toContain("timeout");
    expect(stderr).toContain("channel");
  });

  test("a contract that is none: exit 2, naming it", async () => {
    using app = appOf({
      ...oneOperation("openapi: openapi.yaml\n"),
      "openapi.yaml": "swagger: '2.0'\ninfo: { title: x, version: '1' }\npaths: {}\n",
    });
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("openapi.yaml");
    expect(stderr).toContain("2.0");
  });

  test("a folder that is not there, and one without a service file", async () => {
    using app = appOf({});
    const missing = await serveInVain(app.path("nowhere"));
    expect(missing.exitCode).toBe(2);
    expect(missing.stderr).toContain("nowhere");
    const empty = await serveInVain(app.folder);
    expect(empty.exitCode).toBe(2);
    expect(empty.stderr).toContain("urocket-service.yaml");
  });

  test("a port that is taken: exit 1, naming it, and nothing is left running", async () => {
    using app = appOf(oneOperation());
    await using host = await serve(app.folder);
    const { exitCode, stderr } = await serveInVain(app.folder, { flags: ["--port", `${host.port}`] });
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${host.port}`);
    expect(stderr).toContain("Choose another with --port");
    expect((await fetch(`${host.url}/here`)).status).toBe(200);
  });

  test("an address that nobody knows: exit 1, naming it, before an instance is started", async () => {
    using app = appOf(oneOperation());
    const { exitCode, stderr } = await serveInVain(app.folder, { flags: ["--address", "no-such-host.invalid"] });
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("error: Cannot find the address no-such-host.invalid")]);
    expect(stderr).toContain("with --address");
  });

  test("two apps that claim the same route are refused, naming both", async () => {
    using one = appOf(oneOperation());
    using other = appOf({
      ...oneOperation(),
      "urocket-service.yaml": oneOperation()["urocket-service.yaml"]?.replace("small", "second") ?? "",
    });
    const { exitCode, stderr } = await serveInVain(one.folder, { folders: [other.folder] });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("small");
    expect(stderr).toContain("second");
  });
});

describe("several apps", () => {
  test("are served side by side, by base path and by host name", async () => {
    const named = (name: string, rest: string): Record<string, string> => ({
      "urocket-service.yaml": `name: ${name}\n${rest}paths:\n  /here:\n    get:\n      inject: { cmd: ./here.sh }\n`,
      "here.sh": `#!/bin/sh\nprintf ${name} | urocket reply --type text/plain\n`,
    });
    using plain = appOf(named("plain", ""));
    using based = appOf(named("based", "base: /v1\n"));
    using hosted = appOf(named("hosted", "hosts: [shop.example.test]\n"));
    await using host = await serve(plain.folder, { folders: [based.folder, hosted.folder] });
    const at = async (path: string, name = "localhost"): Promise<string> =>
      await (await fetch(host.url + path, { headers: { host: name } })).text();
    expect(await at("/here")).toBe("plain");
    expect(await at("/v1/here")).toBe("based");
    expect(await at("/here", "shop.example.test")).toBe("hosted");
    expect(await at("/here", "SHOP.example.test:8080")).toBe("hosted");
  });
});

describe("the configured reply socket", () => {
  const app = appOf({ "here.sh": answering });
  app.write(
    "urocket-service.yaml",
    `name: small\nsocket: ${app.path("reply.sock")}\npaths:\n  /here:\n    get:\n      inject: { cmd: ./here.sh }\n`,
  );
  afterAll(() => app[Symbol.dispose]());

  test("is there while the host runs, for its owner alone, and gone when it stops", async () => {
    {
      await using host = await serve(app.folder);
      const found = lstatSync(app.path("reply.sock"));
      expect(found.isSocket()).toBeTrue();
      expect(found.mode & 0o777).toBe(0o600);
      expect((await fetch(`${host.url}/here`)).status).toBe(200);
    }
    expect(existsSync(app.path("reply.sock"))).toBeFalse();
  });

  test("refuses a second host, and the first serves on", async () => {
    await using first = await serve(app.folder);
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(app.path("reply.sock"));
    expect(stderr).toContain("give this one a `socket:` of its own");
    expect((await fetch(`${first.url}/here`)).status).toBe(200);
    expect(lstatSync(app.path("reply.sock")).isSocket()).toBeTrue();
  });

  test("is taken over from a host that was killed", async () => {
    {
      await using dead = await serve(app.folder);
      dead.signal("SIGKILL");
      await dead.exited;
    }
    await using host = await serve(app.folder);
    expect((await fetch(`${host.url}/here`)).status).toBe(200);
  });

  test("is taken over from any server that is gone, and refused while it is there", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => {
      server.listen(app.path("reply.sock"), resolve);
    });
    expect((await serveInVain(app.folder)).exitCode).toBe(1);
    await new Promise((resolve) => {
      server.close(resolve);
    });
    await using host = await serve(app.folder);
    expect((await fetch(`${host.url}/here`)).status).toBe(200);
  });

  test("is not made over a file that is no socket", async () => {
    app.write("reply.sock", "precious");
    const { exitCode, stderr } = await serveInVain(app.folder);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("reply.sock");
    expect(app.read("reply.sock")).toBe("precious");
  });
});

describe("the examples", () => {
  test.each(["pets", "php", "languages"])("%s passes `urocket check`'s rules and starts", async (name) => {
    using app = copyOfExample(name);
    if (name === "php")
      app.write("urocket-service.yaml", app.read("urocket-service.yaml").replace("/tmp/urocket-prices.sock", app.path("prices.sock")));
    chmodSync(app.folder, 0o755);
    await using host = await serve(app.folder);
    expect(await eventually("the start line", () => host.stderr().includes(host.url))).toBeTrue();
  });
});

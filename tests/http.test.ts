/** What a client meets: routing, verbs, odd bytes, limits, request ids and the form of every error. */
import { describe, expect, test } from "bun:test";
import { appOf } from "./app-folder.ts";
import { connectRaw, type RawResponse, sendRaw } from "./raw-http.ts";
import { servedApp } from "./served-app.ts";
import { serve } from "./serving.ts";

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

const files = {
  "urocket-service.yaml": `
name: http
timeout: 20s
paths:
  /:
    get: { inject: { cmd: ./show.sh } }
  /things:
    get: { inject: { cmd: ./show.sh } }
    post: { inject: { cmd: ./body.sh, encoding: raw } }
  /things/{thing}:
    get: { inject: { cmd: ./show.sh } }
    delete: { inject: { cmd: ./empty.sh } }
  /things/special:
    get: { inject: { cmd: ./special.sh } }
`,
  "show.sh": `#!/bin/sh\nprintf '%s|%s|%s|%s' "$REQUEST_METHOD" "$URIPATH" "$UROCKET_PARAM_THING" "$QUERY_STRING" | urocket reply --type text/plain --header 'X-Program: show'\n`,
  "special.sh": "#!/bin/sh\nprintf special | urocket reply --type text/plain\n",
  "body.sh": "#!/bin/sh\ncat | urocket reply --type text/plain\n",
  "empty.sh": "#!/bin/sh\nurocket reply --status 204 </dev/null\n",
};

describe("HTTP", () => {
  const host = servedApp(() => appOf(files));

  const get = async (target: string, headers: readonly string[] = ["Host: localhost"]): Promise<RawResponse | undefined> =>
    await sendRaw(host.port, `GET ${target} HTTP/1.1\r\n${headers.map((line) => `${line}\r\n`).join("")}\r\n`);

  const expectProblem = (response: RawResponse | undefined, status: number): Record<string, unknown> => {
    expect(response?.status).toBe(status);
    expect(response?.headers.get("content-type")).toStartWith("application/problem+json");
    expect(response?.headers.get("x-urocket-error")).toMatch(/^[a-z-]+$/);
    expect(response?.headers.get("x-request-id")).toBeString();
    const problem = JSON.parse(response?.body ?? "") as Record<string, unknown>;
    expect(problem["status"]).toBe(status);
    expect(problem["title"]).toBeString();
    expect(problem["detail"]).toBeString();
    return problem;
  };

  describe("routes", () => {
    test("a path without a route is a 404 problem that names it", async () => {
      const problem = expectProblem(await get("/nothing/here"), 404);
      expect(problem["detail"]).toContain("/nothing/here");
    });

    test("a fixed path wins over a template", async () => {
      expect((await get("/things/special"))?.body).toBe("special");
      expect((await get("/things/specia"))?.body).toBe("GET|/things/specia|specia|");
    });

    test("another verb is a 405 that lists the path's own in Allow", async () => {
      const response = await fetch(`${host.url}/things/1`, { method: "POST", body: "x" });
      expect(response.status).toBe(405);
      expect(
        response.headers
          .get("allow")
          ?.split(", ")
          .toSorted((one, other) => one.localeCompare(other)),
      ).toEqual(["DELETE", "GET", "HEAD", "OPTIONS"]);
      expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    });

    test("OPTIONS tells the verbs of a path without starting a program", async () => {
      const response = await fetch(`${host.url}/things`, { method: "OPTIONS" });
      expect(response.status).toBe(204);
      expect(response.headers.get("allow")).toContain("POST");
      expect(response.headers.get("x-program")).toBeNull();
    });

    test("HEAD is answered as GET is, without the body", async () => {
      const connection = await connectRaw(host.port);
      connection.send("HEAD /things HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const response = await connection.response({ toHead: true });
      expect(response?.status).toBe(200);
      expect(response?.headers.get("x-program")).toBe("show");
      expect(response?.headers.get("content-type")).toBe("text/plain");
      // Had there been a body, it would be read as this response's head.
      connection.send("GET /things HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect((await connection.response())?.body).toStartWith("GET|/things");
      connection.drop();
    });

    test("HEAD of what is not there is 404, without a body", async () => {
      const response = await sendRaw(host.port, "HEAD /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", { toHead: true });
      expect(response?.status).toBe(404);
    });

    test.each(["FOO", "get", "PROPFIND", "TRACE"])("the verb %s is refused or the connection closed; the host lives on", async (verb) => {
      const response = await sendRaw(host.port, `${verb} /things HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      if (response !== undefined) expect([400, 405, 501]).toContain(response.status);
      expect((await get("/things"))?.status).toBe(200);
    });
  });

  describe("paths", () => {
    test("percent-encoding is decoded once in parameters, and left alone in URIPATH", async () => {
      expect((await get("/things/a%20b%2Fc%2525"))?.body).toBe("GET|/things/a%20b%2Fc%2525|a b/c%25|");
    });

    test("an encoded slash stays within its segment", async () => {
      expect((await get("/things%2F1"))?.status).toBe(404);
    });

    test.each(["/things/%", "/things/%zz", "/things/%2", "/things/%ff%fe"])(
      "%s is no percent-encoding: 400, or taken as it is, never a crash",
      async (target) => {
        const response = await get(target);
        expect([200, 400]).toContain(response?.status ?? 0);
        if (response?.status === 400) expectProblem(response, 400);
      },
    );

    test("a NUL in a parameter never reaches a program", async () => {
      expectProblem(await get("/things/a%00b"), 400);
    });

    test.each(["/things/../things", "/things/%2e%2e/things", "/x/../things", "/..", "/things/.."])(
      "dots in %s never lead to another route than the path that is routed",
      async (target) => {
        const response = await get(target);
        // Either refused, or resolved by the rules of RFC 3986; the program then sees what was routed.
        if (response?.status === 200) {
          const [, path = ""] = response.body.split("|");
          expect(response.body.split("|")[2] === ".." || !/\.\.|%2e/i.test(path)).toBeTrue();
        } else {
          expect([400, 404]).toContain(response?.status ?? 0);
        }
      },
    );

    test("a doubled slash is not the same path", async () => {
      expect((await get("//things"))?.status).toBe(404);
      expect((await get("/things//1"))?.status).toBe(404);
    });

    test("a trailing slash is not the same path", async () => {
      expect((await get("/things/"))?.status).toBe(404);
    });

    test("the query is passed on as it was sent", async () => {
      expect((await get("/things?a=1&a=2&b=%20+%C3%A9&c"))?.body).toBe("GET|/things||a=1&a=2&b=%20+%C3%A9&c");
      expect((await get("/things?"))?.body).toBe("GET|/things||");
    });

    test("an absolute-form target is its path", async () => {
      expect((await get("http://localhost/things/7"))?.body).toContain("|7|");
    });

    test("a URL of 8 KB is served", async () => {
      const long = "x".repeat(8000);
      expect((await get(`/things/${long}`))?.body).toContain(long);
    });

    test("a URL of 100 KB is refused, and the host serves on", async () => {
      const response = await get(`/things/${"x".repeat(100_000)}`);
      expect([414, 431, undefined]).toContain(response?.status);
      expect((await get("/things"))?.status).toBe(200);
    });
  });

  describe("headers", () => {
    test.each(["Host: a b", "Host: a/b", "Host: user@host", "Host: a\\b", "Host: a?b", "Host: a#b"])("%s is no host: 400", async (line) => {
      expect((await get("/things", [line]))?.status).toBe(400);
    });

    test("an empty Host never leads to another path", async () => {
      const response = await get("/things", ["Host:"]);
      if (response?.status === 200) expect(response.body).toStartWith("GET|/things|");
      else expect(response?.status).toBe(400);
    });

    test("no Host is 400", async () => {
      expect((await get("/things", []))?.status).toBe(400);
    });

    test("two Host headers are 400", async () => {
      expect((await get("/things", ["Host: one", "Host: two"]))?.status).toBe(400);
    });

    test.each(["localhost", "127.0.0.1:8080", "[::1]:8080", "api.example.test"])("Host %s is served", async (name) => {
      expect((await get("/things", [`Host: ${name}`]))?.status).toBe(200);
    });

    test("headers of more than 16 KB are 431, and the host serves on", async () => {
      const response = await get("/things", ["Host: localhost", `X-Long: ${"x".repeat(40_000)}`]);
      expect(response?.status).toBe(431);
      expect((await get("/things"))?.status).toBe(200);
    });

    test.each([
      ["Content-Length: 5", "Transfer-Encoding: chunked"],
      ["Content-Length: 5", "Content-Length: 6"],
      ["Transfer-Encoding: chunked, identity"],
      ["Content-Length: -1"],
      ["Content-Length: 1e3"],
    ])("a body of ambiguous length is refused: %s %s", async (...lines) => {
      const response = await sendRaw(
        host.port,
        `POST /things HTTP/1.1\r\nHost: localhost\r\n${lines.filter((line) => line !== undefined).join("\r\n")}\r\n\r\nhello`,
      );
      if (response !== undefined) expect(response.status).toBe(400);
    });
  });

  describe("bodies", () => {
    test("a body without a Content-Type goes on as it is where no contract says otherwise", async () => {
      const response = await sendRaw(host.port, "POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello");
      expect(response?.body).toBe("hello");
    });

    test("a chunked body is put together", async () => {
      const response = await sendRaw(
        host.port,
        "POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7\r\n, world\r\n0\r\n\r\n",
      );
      expect(response?.body).toBe("hello, world");
    });

    test("a client that waits for 100 Continue is told to go on", async () => {
      using connection = await connectRaw(host.port);
      connection.send("POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
      connection.send("hello");
      expect((await connection.response())?.body).toBe("hello");
    });

    test("a 204 has no body, and the connection goes on", async () => {
      using connection = await connectRaw(host.port);
      connection.send("DELETE /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect(await connection.response()).toMatchObject({ status: 204, body: "" });
      connection.send("GET /things HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect((await connection.response())?.status).toBe(200);
    });
  });

  describe("connections", () => {
    test("one connection carries many requests, problems among them", async () => {
      using connection = await connectRaw(host.port);
      for (const [target, status] of [
        ["/things", 200],
        ["/nothing", 404],
        ["/things/2", 200],
        ["/things/a%00b", 400],
        ["/things/3", 200],
      ] as const) {
        connection.send(`GET ${target} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
        expect((await connection.response())?.status).toBe(status);
      }
    });

    test("Connection: close is kept to", async () => {
      using connection = await connectRaw(host.port);
      connection.send("GET /things HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
      expect((await connection.response())?.status).toBe(200);
      await connection.closed;
    });
  });

  describe("a connection", () => {
    test("has its pipelined requests answered in order", async () => {
      using connection = await connectRaw(host.port);
      const requests = [1, 2, 3].map((index) => `GET /things/${index} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      connection.send(requests.join(""));
      for (const index of [1, 2, 3]) expect((await connection.response())?.body).toBe(`GET|/things/${index}|${index}|`);
    });

    test("goes on behind a chunked body with trailers, which are dropped", async () => {
      using connection = await connectRaw(host.port);
      connection.send(
        "POST /things HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n",
      );
      expect((await connection.response())?.status).toBe(200);
      connection.send("GET /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect((await connection.response())?.body).toBe("GET|/things/1|1|");
    });

    test("goes on behind a GET with a body, which is the program's to read", async () => {
      using connection = await connectRaw(host.port);
      connection.send("GET /things HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
      expect((await connection.response())?.status).toBe(200);
      connection.send("GET /things/1 HTTP/1.1\r\nHost: localhost\r\n\r\n");
      expect((await connection.response())?.body).toBe("GET|/things/1|1|");
    });

    test("HTTP/1.0 is answered", async () => {
      expect((await sendRaw(host.port, "GET /things/1 HTTP/1.0\r\nHost: localhost\r\n\r\n"))?.body).toBe("GET|/things/1|1|");
    });

    test("what is not HTTP is 400 and closes", async () => {
      using connection = await connectRaw(host.port);
      connection.send("this is no HTTP\r\n\r\n");
      expect((await connection.response())?.status).toBe(400);
      await connection.closed;
    });
  });

  describe("request ids", () => {
    test("every response has one, errors too", async () => {
      for (const target of ["/things", "/nothing", "/things/a%00b"]) {
        expect((await get(target))?.headers.get("x-request-id")).toMatch(uuid);
      }
    });

    test.each(["abc", "a-b_c.d:e", "0af7651916cd43dd8448eb211c80319c", "x".repeat(64)])("the client's own is kept: %s", async (id) => {
      expect((await get("/things", ["Host: localhost", `X-Request-Id: ${id}`]))?.headers.get("x-request-id")).toBe(id);
    });

    test.each(["", "with space", 'quo"te', "a;b=c", "x".repeat(1000), "\xe9t\xe9", "{req_id}"])(
      "one that is not sane is replaced: %p",
      async (id) => {
        expect((await get("/things", ["Host: localhost", `X-Request-Id: ${id}`]))?.headers.get("x-request-id")).toMatch(uuid);
      },
    );

    test("the same id may be used twice at once: each request still gets its own answer", async () => {
      const answers = await Promise.all(
        [1, 2, 3].map(async (index) => await fetch(`${host.url}/things/${index}`, { headers: { "x-request-id": "twins" } })),
      );
      expect(await Promise.all(answers.map(async (answer) => await answer.text()))).toEqual(
        [1, 2, 3].map((index) => `GET|/things/${index}|${index}|`),
      );
    });
  });

  test("without --timing no Server-Timing is sent", async () => {
    expect((await get("/things"))?.headers.get("server-timing")).toBeNull();
  });
});

describe("--timing", () => {
  test("responses tell where the time went", async () => {
    using app = appOf(files);
    await using host = await serve(app.folder, { flags: ["--timing"] });
    const timing = (await fetch(`${host.url}/things`)).headers.get("server-timing");
    expect(timing).toMatch(/\bspawn;dur=[\d.]+/);
    expect(timing).toMatch(/\brun;dur=[\d.]+/);
  });
});

import { describe, expect, test } from "bun:test";
import { RouteConflict, type RouteEntry, Router } from "./router.ts";

function routes(...lines: string[]): RouteEntry<string>[] {
  return lines.map((line) => {
    const [method = "", path = "", host] = line.split(" ");
    return { hosts: host === undefined ? [] : [host], method, path, operation: line };
  });
}

function find(router: Router<string>, method: string, path: string, host?: string): string {
  const match = router.match(host, path, method);
  switch (match.found) {
    case "operation":
      return [match.operation, ...match.values].join(" | ");
    case "path":
      return `allow ${match.allow.join(" ")}`;
    default:
      return match.found;
  }
}

describe("a router", () => {
  const router = new Router(
    routes(
      "GET /pets",
      "POST /pets",
      "GET /pets/{id}",
      "GET /pets/mine",
      "DELETE /pets/{id}",
      "GET /repos/{owner}/{base}...{head}",
      "GET /files/{name}.{type}",
      "GET /files/report.{type}",
      "GET /",
      "GET /caf%C3%A9/{x}",
      "GET /a/{x}/c",
      "GET /a/b/d",
      "OPTIONS /pets/mine",
    ),
  );

  test("finds operations by path and verb, with the template's values raw", () => {
    expect(find(router, "GET", "/pets")).toBe("GET /pets");
    expect(find(router, "POST", "/pets")).toBe("POST /pets");
    expect(find(router, "DELETE", "/pets/7%2F8")).toBe("DELETE /pets/{id} | 7%2F8");
    expect(find(router, "GET", "/")).toBe("GET /");
  });

  test("prefers concrete paths over templates, and goes back when the concrete branch ends in nothing", () => {
    expect(find(router, "GET", "/pets/mine")).toBe("GET /pets/mine");
    expect(find(router, "DELETE", "/pets/mine")).toBe("DELETE /pets/{id} | mine");
    expect(find(router, "GET", "/a/b/c")).toBe("GET /a/{x}/c | b");
    expect(find(router, "GET", "/a/b/d")).toBe("GET /a/b/d");
  });

  test("a percent-encoding is never cut in two by a template's text", () => {
    const one = new Router(routes("GET /{id}d"));
    expect(find(one, "GET", "/xd")).toBe("GET /{id}d | x");
    expect(find(one, "GET", "/%2d")).toBe("nothing");
    expect(find(one, "GET", "/%2dd")).toBe("GET /{id}d | %2d");
  });

  test("matches several parameters in one segment, the more literal template first", () => {
    expect(find(router, "GET", "/repos/me/main...dev")).toBe("GET /repos/{owner}/{base}...{head} | me | main | dev");
    expect(find(router, "GET", "/files/a.b.txt")).toBe("GET /files/{name}.{type} | a.b | txt");
    expect(find(router, "GET", "/files/report.txt")).toBe("GET /files/report.{type} | txt");
  });

  test("compares concrete segments by what they mean, not by how they are encoded", () => {
    expect(find(router, "GET", "/p%65ts")).toBe("GET /pets");
    expect(find(router, "GET", "/caf%c3%a9/1")).toBe("GET /caf%C3%A9/{x} | 1");
  });

  test("does not take an empty segment for a parameter, nor a trailing slash for none", () => {
    expect(find(router, "GET", "/pets/")).toBe("nothing");
    expect(find(router, "GET", "//pets")).toBe("nothing");
    expect(find(router, "GET", "/files/.txt")).toBe("nothing");
  });

  test("lets GET answer HEAD, and tells the verbs of a path that lacks the one asked for", () => {
    expect(find(router, "HEAD", "/pets")).toBe("GET /pets");
    expect(find(router, "PUT", "/pets")).toBe("allow GET HEAD POST OPTIONS");
    expect(find(router, "PUT", "/pets/mine")).toBe("allow GET HEAD OPTIONS DELETE");
  });

  test("tells a broken percent-encoding from a missing path", () => {
    expect(find(router, "GET", "/pets/%zz")).toBe("bad-path");
    expect(find(router, "GET", "/pets/%ff")).toBe("bad-path");
    expect(find(router, "GET", "/nowhere")).toBe("nothing");
  });

  test("keeps virtual hosts apart, and serves apps without hosts on all of them", () => {
    const hosts = new Router(routes("GET /x a.example", "GET /x", "GET /only b.example"));
    expect(find(hosts, "GET", "/x", "a.example")).toBe("GET /x a.example");
    expect(find(hosts, "GET", "/x", "other.example")).toBe("GET /x");
    expect(find(hosts, "GET", "/x", "b.example")).toBe("GET /x");
    expect(find(hosts, "GET", "/only", "a.example")).toBe("nothing");
    expect(find(hosts, "POST", "/only", "b.example")).toBe("allow GET HEAD OPTIONS");
  });

  test("refuses two operations that would answer the same requests", () => {
    expect(() => new Router(routes("GET /x/{a}", "GET /x/{b}"))).toThrow(RouteConflict);
    expect(() => new Router(routes("GET /x/{a}", "GET /x/{b}"))).toThrow("GET /x/{b} is served by two operations");
  });

  test("takes no longer for a long path of one segment repeated than for its length", () => {
    const nested = new Router(routes("GET /{a}/{b}/{c}/{d}/x", "GET /{a}/y/{c}/{d}/z"));
    expect(find(nested, "GET", `/${"y/".repeat(5000)}x`)).toBe("nothing");
  });
});

describe("what answers everything below its path", () => {
  const below = (method: string, path: string): RouteEntry<string> => ({
    hosts: [],
    method,
    path,
    operation: `${method} ${path}…`,
    below: true,
  });
  const router = new Router([...routes("GET /pets", "GET /v1/pets/{id}"), below("GET", "/v1"), below("POST", "/v1")]);

  test("gets what nothing else serves, and nothing outside", () => {
    for (const path of ["/v1", "/v1/", "/v1/a/b%20c", "/v1/pets"]) expect(find(router, "GET", path)).toBe("GET /v1…");
    expect(find(router, "GET", "/v1/pets/7")).toBe("GET /v1/pets/{id} | 7");
    expect(find(router, "POST", "/v1/pets/7")).toBe("POST /v1…");
    expect([find(router, "GET", "/v2"), find(router, "GET", "/v11")]).toEqual(["nothing", "nothing"]);
    expect(find(router, "PUT", "/v1/x")).toBe("allow GET HEAD POST OPTIONS");
  });

  test("may be the root", () => {
    const whole = new Router([...routes("GET /pets"), below("GET", "/")]);
    expect(["/", "/x", "/pets/1"].map((path) => find(whole, "GET", path))).toEqual(["GET /…", "GET /…", "GET /…"]);
    expect(find(whole, "GET", "/pets")).toBe("GET /pets");
  });
});

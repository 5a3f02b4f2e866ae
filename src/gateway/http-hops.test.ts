import { describe, expect, test } from "bun:test";
import type { HeaderList } from "./front.ts";
import { acceptsTrailers, requestHops, responseHops } from "./http-hops.ts";

function goOn(headers: HeaderList, hops: ReadonlySet<string>): string[] {
  return headers.filter((_, index) => index % 2 === 0).filter((name) => !hops.has(name));
}

describe("what is said to one hop", () => {
  test.each([
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "proxy-authenticate",
    "proxy-authorization",
    "http2-settings",
  ])("%s does not go on, named by Connection or not", (name) => {
    for (const hops of [requestHops, responseHops])
      expect(goOn([name, "x", "accept", "y"], hops([name, "x", "accept", "y"]))).toEqual(["accept"]);
  });

  test("of a request is what a daemon's CGI programs would take for their proxy, too", () => {
    expect(goOn(["proxy", "x", "accept", "y"], requestHops(["proxy", "x", "accept", "y"]))).toEqual(["accept"]);
  });

  test("is what Connection names, too, however it is written and on however many lines", () => {
    const headers = [
      "connection",
      "close, X-One ,\tx-two;q=1",
      "x-one",
      "",
      "connection",
      "X-THREE",
      "x-two",
      "",
      "x-three",
      "",
      "x-four",
      "",
    ];
    expect(goOn(headers, requestHops(headers))).toEqual(["x-four"]);
    expect(goOn(headers, responseHops(headers))).toEqual(["x-four"]);
  });

  test.each([
    "host",
    "content-length",
    "content-type",
    "authorization",
    "cookie",
    "x-forwarded-user",
    "x-real-ip",
    "x-request-id",
    "traceparent",
    "cache-control",
  ])("is never %s: Connection cannot take it away", (name) => {
    const headers = ["connection", `keep-alive, ${name}`, name, "x"];
    expect(goOn(headers, requestHops(headers))).toEqual([name]);
  });

  test("are the forwarding headers of a request, because they are made anew; a response may have them", () => {
    const headers = ["forwarded", "", "x-forwarded-for", "", "x-forwarded-host", "", "x-forwarded-proto", "", "x-forwarded-port", ""];
    expect(goOn(headers, requestHops(headers))).toEqual(["x-forwarded-port"]);
    expect(goOn(headers, responseHops(headers))).toHaveLength(5);
  });

  test.each(["keep-alive", "close", "Upgrade", "upgrade, keep-alive", "", ","])(
    "is nothing more where Connection says %p",
    (connection) => {
      expect(requestHops(["connection", connection])).toBe(requestHops([]));
    },
  );
});

describe("trailers", () => {
  test.each([
    [["te", "trailers"], true],
    [["te", "gzip, Trailers"], true],
    [["te", "gzip;q=0.5", "te", "trailers"], true],
    [["te", "deflate"], false],
    [["trailer", "trailers"], false],
    [["te", "x-trailers"], false],
    [[], false],
  ] as const)("%j: taken is %p", (headers, taken) => {
    expect(acceptsTrailers(headers)).toBe(taken);
  });
});

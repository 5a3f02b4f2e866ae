import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  directOrigin,
  hopsMax,
  type Origin,
  readForwarded,
  readNode,
  ToldOrigins,
  toldOrigin,
  withBelieved,
  withoutForwarding,
} from "./forwarded.ts";
import type { HeaderList } from "./front.ts";
import { readTrustedProxies, type TrustedProxies } from "./trusted-proxies.ts";

function trusting(...blocks: string[]): TrustedProxies {
  const read = readTrustedProxies(blocks);
  if (!read.ok) throw new Error(read.problem);
  return read.proxies;
}

const proxies = trusting("10.0.0.0/8", "fd00::/8");

/** Of a request that the trusted 10.0.0.1 passes on. */
function told(...headers: string[]): Origin {
  return toldOrigin("10.0.0.1", "inner:8080", headers, proxies);
}

describe("the client", () => {
  test.each([
    ["one proxy", ["192.0.2.7"], "192.0.2.7"],
    ["two trusted ones", ["192.0.2.7, 10.0.0.2"], "192.0.2.7"],
    ["two lines", ["192.0.2.7", "10.0.0.2"], "192.0.2.7"],
    ["a list with holes", [", 192.0.2.7,, 10.0.0.2 ,"], "192.0.2.7"],
    ["what the client made up", ["10.0.0.9, 203.0.113.5, 192.0.2.7, 10.0.0.2"], "192.0.2.7"],
    ["only trusted ones", ["10.1.1.1, 10.0.0.2"], "10.1.1.1"],
    ["IPv6", ["2001:DB8::1"], "2001:db8::1"],
    ["IPv6 in brackets, with a port", ["[2001:db8::1]:4711"], "2001:db8::1"],
    ["IPv4 with a port", ["192.0.2.7:4711"], "192.0.2.7"],
    ["IPv4 as IPv6", ["192.0.2.7, ::ffff:10.0.0.2"], "192.0.2.7"],
    ["a proxy that tells nothing", ["unknown"], "unknown"],
    ["a proxy that obfuscates", ["_hidden, 10.0.0.2"], "_hidden"],
    ["what is no address", ["192.0.2.7, <script>"], "unknown"],
    ["an empty one", [""], "10.0.0.1"],
  ])("by X-Forwarded-For with %s", (_, lines, client) => {
    expect(told(...lines.flatMap((line) => ["x-forwarded-for", line])).client).toBe(client);
  });

  test.each([
    ["one proxy", ["for=192.0.2.7"], "192.0.2.7"],
    ["more parameters", ['By=10.0.0.1;FOR="192.0.2.7:80";proto=http;secret=x'], "192.0.2.7"],
    ["IPv6", ['for="[2001:db8:cafe::17]:4711"'], "2001:db8:cafe::17"],
    ["two trusted ones, on two lines", ["for=203.0.113.5, for=192.0.2.7", "for=10.0.0.2"], "192.0.2.7"],
    ["a proxy that does not say for whom", ["for=192.0.2.7, proto=https"], "unknown"],
    ["unknown", ["for=unknown"], "unknown"],
    ["an obfuscated one", ["for=_gazonk"], "_gazonk"],
    ["a quote that a client has left open", ['for="1.2.3.4, for=192.0.2.7'], "unknown"],
    ["a quote that a client has left open on a line of its own", ['for="1.2.3.4', "for=192.0.2.7"], "192.0.2.7"],
    ["the same parameter twice", ["for=1.2.3.4;for=192.0.2.7"], "unknown"],
    ["nothing", [""], "10.0.0.1"],
  ])("by Forwarded with %s", (_, lines, client) => {
    expect(told(...lines.flatMap((line) => ["forwarded", line])).client).toBe(client);
  });

  test("is the peer where nothing is told", () => {
    expect(told()).toMatchObject({ client: "10.0.0.1", proto: "http", host: "inner:8080", chain: ["10.0.0.1"] });
  });

  test("is by X-Forwarded-For where both come: proxies that write it pass on a Forwarded that the client made up", () => {
    expect(told("forwarded", "for=203.0.113.5;proto=https", "x-forwarded-for", "192.0.2.7").client).toBe("192.0.2.7");
    expect(told("x-forwarded-for", "192.0.2.7", "forwarded", "for=203.0.113.5").client).toBe("192.0.2.7");
  });

  test("is whoever the last proxy that is looked at names, however many there are", () => {
    const all = Array.from({ length: 200 }, (_, index) => `10.0.1.${index}`);
    const { client, chain } = told("x-forwarded-for", all.join(","));
    expect(chain).toHaveLength(hopsMax + 1);
    expect(client).toBe(all.at(-hopsMax));
  });

  test("is never one that stands to the left of an untrusted one, whatever else is told", () => {
    const address = fc.ipV4().filter((one) => !one.startsWith("10."));
    const noise = fc.oneof(
      address,
      fc.ipV6(),
      fc.string({ maxLength: 12 }).map((text) => text.replaceAll(/[^\x21-\x7e]/g, "")),
    );
    fc.assert(
      fc.property(
        fc.array(noise, { maxLength: 5 }),
        address,
        fc.array(fc.constantFrom("10.0.0.2", "10.9.9.9"), { maxLength: 4 }),
        (before, client, after) => {
          expect(told("x-forwarded-for", [...before, client, ...after].join(", ")).client).toBe(client);
        },
      ),
    );
  });
});

describe("scheme and host", () => {
  test.each([
    [
      "what the only proxy says",
      ["x-forwarded-for", "192.0.2.7", "x-forwarded-proto", "HTTPS", "x-forwarded-host", "shop.example"],
      "https",
      "shop.example",
    ],
    [
      "what the proxy says that named the client",
      ["x-forwarded-for", "1.1.1.1, 192.0.2.7, 10.0.0.2", "x-forwarded-proto", "http, https, http", "x-forwarded-host", "a, b, c"],
      "https",
      "b",
    ],
    [
      "what the nearest says, where lists differ",
      ["x-forwarded-for", "192.0.2.7, 10.0.0.2", "x-forwarded-proto", "http, http, https"],
      "https",
      "inner:8080",
    ],
    ["told without a client", ["x-forwarded-proto", "https"], "https", "inner:8080"],
    [
      "told by Forwarded",
      ["forwarded", 'for=192.0.2.7;proto=https;host="shop.example:8443", for=10.0.0.2;proto=http'],
      "https",
      "shop.example:8443",
    ],
    [
      "of both conventions, each where it is told",
      ["x-forwarded-for", "192.0.2.7", "forwarded", "for=192.0.2.7;proto=https"],
      "https",
      "inner:8080",
    ],
    ["a scheme that is none", ["x-forwarded-proto", "gopher"], "http", "inner:8080"],
    ["a host that is none", ["x-forwarded-host", "a/b"], "http", "inner:8080"],
  ] as const)("are %s", (_, headers, proto, host) => {
    expect(told(...headers)).toMatchObject({ proto, host });
  });
});

describe("what is told on", () => {
  test.each([
    ["a client", directOrigin("192.0.2.7", "shop.example"), "for=192.0.2.7;host=shop.example;proto=http", "192.0.2.7"],
    ["a host with a port", directOrigin("192.0.2.7", "shop:80"), 'for=192.0.2.7;host="shop:80";proto=http', "192.0.2.7"],
    ["IPv6", directOrigin("2001:db8::1", "[::1]:80"), 'for="[2001:db8::1]";host="[::1]:80";proto=http', "2001:db8::1"],
    ["an address with a zone", directOrigin("fe80::1%eth0", "a"), 'for="[fe80::1]";host=a;proto=http', "fe80::1%eth0"],
    ["a unix socket", directOrigin(undefined, "a"), "for=unknown;host=a;proto=http", "unknown"],
    [
      "trusted proxies: they are appended, and what a client made up is not told on",
      told("x-forwarded-for", "6.6.6.6, _x, 10.0.0.2", "x-forwarded-proto", "https"),
      'for=_x;host="inner:8080";proto=https, for=10.0.0.2, for=10.0.0.1',
      "_x, 10.0.0.2, 10.0.0.1",
    ],
  ])("of %s", (_, origin, forwarded, list) => {
    expect([...origin.forwarding]).toEqual([
      "forwarded",
      forwarded,
      "x-forwarded-for",
      list,
      "x-forwarded-proto",
      origin.proto,
      "x-forwarded-host",
      origin.host ?? "",
    ]);
    expect(origin.forwarding).toBe(origin.forwarding);
    expect(readForwarded(forwarded)).toHaveLength(origin.chain.length || 1);
  });

  test("without a Host holds none", () => {
    expect([...directOrigin("192.0.2.7", undefined).forwarding]).toEqual([
      "forwarded",
      "for=192.0.2.7;proto=http",
      "x-forwarded-for",
      "192.0.2.7",
      "x-forwarded-proto",
      "http",
    ]);
  });

  test("and read again by the next trusted one is the same", () => {
    const origin = told("x-forwarded-for", "192.0.2.7, 10.0.0.2", "x-forwarded-proto", "https", "x-forwarded-host", "shop:1");
    for (const part of [origin.forwarding.slice(0, 2), origin.forwarding.slice(2)]) {
      expect(toldOrigin("10.0.0.5", "next", part, proxies)).toMatchObject({ client: "192.0.2.7", proto: "https", host: "shop:1" });
    }
  });
});

describe("origins that were told before", () => {
  const claim = (client: string): HeaderList => ["x-forwarded-for", client];

  test("are the same object, while all that they are made of is the same", () => {
    const origins = new ToldOrigins(proxies);
    const first = origins.of("10.0.0.1", "a", claim("192.0.2.7"));
    expect(origins.of("10.0.0.1", "a", ["accept", "x", ...claim("192.0.2.7")])).toBe(first);
    expect(first.client).toBe("192.0.2.7");
    expect(origins.of("10.0.0.2", "a", claim("192.0.2.7")).chain).toEqual(["192.0.2.7", "10.0.0.2"]);
    expect(origins.of("10.0.0.1", "b", claim("192.0.2.7")).host).toBe("b");
    expect(origins.of("10.0.0.1", "a", claim("192.0.2.8")).client).toBe("192.0.2.8");
    expect(origins.of("10.0.0.1", "a", [...claim("192.0.2.7"), "x-forwarded-proto", "https"]).proto).toBe("https");
    // What could be taken for something else where parts are put together.
    expect(origins.of("10.0.0.1", "x-forwarded-for:80", [])).toMatchObject({ client: "10.0.0.1", host: "x-forwarded-for:80" });
    expect(origins.of("10.0.0.1", undefined, claim("80"))).toMatchObject({ client: "unknown", host: undefined });
  });

  test("are read anew where there were many since, or where they are long", () => {
    const origins = new ToldOrigins(proxies);
    const first = origins.of("10.0.0.1", "a", claim("192.0.2.7"));
    for (let index = 0; index < 1_000; index++) origins.of("10.0.0.1", "a", claim(`198.51.100.${index}`));
    expect(origins.of("10.0.0.1", "a", claim("192.0.2.7"))).not.toBe(first);
    const long = claim(`${"x".repeat(600)}, 192.0.2.7`);
    expect(origins.of("10.0.0.1", "a", long)).not.toBe(origins.of("10.0.0.1", "a", long));
    expect(origins.of("10.0.0.1", "a", long).client).toBe("192.0.2.7");
  });
});

describe("a request's headers", () => {
  const headers: HeaderList = [
    "host",
    "a",
    "forwarded",
    "for=1",
    "x-forwarded-for",
    "1",
    "x-forwarded-user",
    "root",
    "x-real-ip",
    "1",
    "b",
    "c",
  ];

  test("hold nothing of these from who is not trusted", () => {
    expect([...withoutForwarding(headers)]).toEqual(["host", "a", "b", "c"]);
  });

  test("hold what is believed from who is, without ourselves", () => {
    const origin = told("x-forwarded-for", "6.6.6.6, 192.0.2.7", "x-forwarded-proto", "https");
    const lines = [
      "host: a",
      "x-forwarded-user: root",
      "x-real-ip: 1",
      "b: c",
      'forwarded: for=192.0.2.7;host="inner:8080";proto=https',
      "x-forwarded-for: 192.0.2.7",
      "x-forwarded-proto: https",
      "x-forwarded-host: inner:8080",
    ];
    const kept = withBelieved(headers, origin);
    expect(kept.flatMap((name, index) => (index % 2 === 0 ? [`${name}: ${kept[index + 1]}`] : []))).toEqual(lines);
  });
});

describe("a header that a CGI daemon would take for one of these", () => {
  const disguised = [
    "x_forwarded_for",
    "6.6.6.6",
    "x-forwarded_proto",
    "https",
    "x_real_ip",
    "6.6.6.6",
    "my_id",
    "7",
    "content_length",
    "7",
    "transfer_encoding",
    "chunked",
    "x_request_id",
    "8",
  ];

  test("is the client's, whoever passes it on", () => {
    expect([...withoutForwarding(disguised)]).toEqual(["my_id", "7"]);
    const origin = told("x-forwarded-for", "192.0.2.7");
    expect(withBelieved(disguised, origin).slice(0, 4)).toEqual(["my_id", "7", "forwarded", 'for=192.0.2.7;host="inner:8080";proto=http']);
  });
});

describe("Forwarded", () => {
  test.each([
    ['for="_gazonk"', [{ for: "_gazonk" }]],
    ['For="[2001:db8:cafe::17]:4711"', [{ for: "[2001:db8:cafe::17]:4711" }]],
    ["for=192.0.2.60;proto=http;by=203.0.113.43", [{ for: "192.0.2.60", proto: "http", by: "203.0.113.43" }]],
    ["for=192.0.2.43, for=198.51.100.17", [{ for: "192.0.2.43" }, { for: "198.51.100.17" }]],
    ['for="a\\"b,c;d"', [{ for: 'a"b,c;d' }]],
    [" for=a ; proto=b\t,\tfor=c ", [{ for: "a", proto: "b" }, { for: "c" }]],
    ["for=a;;proto=b,,", [{ for: "a", proto: "b" }]],
    ["", []],
  ])("%j is read", (line, elements) => {
    expect(readForwarded(line)?.map((element) => ({ ...element }))).toEqual(elements);
  });

  test.each([
    'for="a',
    "for=a b",
    "for",
    "for=",
    "=a",
    "for =a",
    "for=[::1]",
    "for=a;for=b",
    'for="a"b',
    "for=a;FOR=b",
    "\xe9=a",
    "__proto__",
  ])("%j is malformed", (line) => {
    expect(readForwarded(line)).toBeUndefined();
  });

  test("of any text is read or not, in time that grows with its length", () => {
    fc.assert(fc.property(fc.string(), (text) => void readForwarded(text)));
    expect(readForwarded(`for="${"\\a".repeat(8_000)}`)).toBeUndefined();
    // With the square of their number this would take minutes.
    for (const before of ["", ";", "a=b"]) expect(readForwarded(`${before}${" ".repeat(1_000_000)}@`)).toBeUndefined();
    expect(readForwarded(";".repeat(16_000))).toEqual([]);
  });
});

describe("a node", () => {
  test.each([
    ["192.0.2.7", "192.0.2.7"],
    ["192.0.2.7:_port", "192.0.2.7"],
    ["::1", "::1"],
    ["[::1]", "::1"],
    ["[::ffff:192.0.2.7]:80", "192.0.2.7"],
    ["[192.0.2.7]", "unknown"],
    ["_a.b-c_1", "_a.b-c_1"],
    ["unknown", "unknown"],
    ["UNKNOWN", "unknown"],
    ["localhost", "unknown"],
    [`_${"x".repeat(64)}`, "unknown"],
    ["192.0.2.7, 1", "unknown"],
    ["", "unknown"],
  ])("%j is %s", (text, address) => {
    expect(readNode(text)).toBe(address);
  });
});

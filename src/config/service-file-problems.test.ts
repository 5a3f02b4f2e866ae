import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { appOf } from "../../tests/app-folder.ts";
import { formatDiagnostic } from "../core/diagnostic.ts";
import type { Diagnostic } from "../core/diagnostic.ts";
import { serviceFileBytesMax } from "./find.ts";
import type { Standing } from "./machine.ts";
import { ownStanding } from "./machine.ts";
import { problemsMax } from "./reading.ts";
import { loadServiceFile } from "./service-file.ts";
import { aliasedValuesMax, depthMax } from "./yaml-source.ts";

type Files = Readonly<Record<string, string>>;

async function diagnostics(yaml: string, files: Files = {}, standing?: Standing): Promise<readonly Diagnostic[]> {
  using app = appOf({ "urocket-service.yaml": yaml, "exists.yaml": "", ...files });
  const loaded = await loadServiceFile(app.folder, standing);
  return loaded.ok ? loaded.warnings : loaded.problems;
}

/** Each diagnostic in short: "error 3:5 message | hint", the app's folder as ".". */
async function told(yaml: string, files: Files = {}, standing?: Standing): Promise<readonly string[]> {
  return (await diagnostics(yaml, files, standing)).map(({ severity, place, message, hint }) => {
    const where = place ? `${place.line}:${place.column} ` : "";
    return `${severity} ${where}${message}${hint === undefined ? "" : ` | ${hint}`}`.replaceAll(/\/[^ "]*\/urocket-test-\w+\/app/g, ".");
  });
}

/** A file with one operation; `keys` are lines of its inject, `more` of the operation, `top` of the file. */
function file({ inject = "cmd: sh", operation = "", top = "" }: { inject?: string; operation?: string; top?: string }): string {
  return `paths: { /: { get: { inject: { ${inject} }${operation === "" ? "" : `, ${operation}`} } } }\n${top}\n`;
}

const supportedOuttakes = "Supported: usocket://<path with {req_id}>, such as usocket://uri/{req_id}";
const durations = 'a duration such as 300 (milliseconds), "250ms", "30s", "5m" or "1h"';

describe("at the top of a service file", () => {
  test.each([
    [
      "name: Pets",
      'error 2:7 The name "Pets" is not an RFC 1035 label | Use lower-case letters, digits and -, starting with a letter and ending in a letter or digit, 63 at most',
    ],
    ["name: 5", 'error 2:7 "name" must be a name, found the number 5'],
    ["name:", 'error 2:6 "name" must be a name, found nothing | Give the key a value, or take it out'],
    ["name: a\nservicename: b", 'error 3:1 "servicename" and "name" are spellings of the same key | The other stands on line 2; keep one'],
    ["name: a\nname: b", 'error 3:1 The key "name" is there twice | It stands first on line 2; keep one'],
    ["opanapi: x", 'error 2:1 Unknown key "opanapi" | Did you mean "openapi"?'],
    [
      "zzzzzz: x",
      'error 2:1 Unknown key "zzzzzz" | Known here: $schema, name, openapi, functions, base, hosts, service, sandbox, network, rootfs, data, socket, env, secrets, timeout, limits, scale, recycle, balance, paths, listeners',
    ],
    [
      "constructor: x",
      'error 2:1 Unknown key "constructor" | Known here: $schema, name, openapi, functions, base, hosts, service, sandbox, network, rootfs, data, socket, env, secrets, timeout, limits, scale, recycle, balance, paths, listeners',
    ],
    ["openapi: nope.yaml", 'error 2:10 Cannot find the OpenAPI document "nope.yaml" | There is no ./nope.yaml'],
    ["openapi: .", 'error 2:10 The OpenAPI document "." is not a file that can be read'],
    [
      "openapi: https://x.y/z.yaml",
      `error 2:10 The document "https://x.y/z.yaml" is an address; nothing is fetched | Save it into the app's folder and write its file name`,
    ],
    ["openapi: ' '", "error 2:10 An empty text stands where a file is wanted"],
    ["base: /v/{x}", 'error 2:7 The base "/v/{x}" has a parameter | Parameters belong into the paths'],
    ["base: /v?", 'error 2:7 The base "/v?" has a query or a fragment | Only the path of a request is compared'],
    ["hosts: pets.example.com", 'error 2:8 "hosts" must be a list of host names, found the text "pets.example.com"'],
    ["hosts: [1]", 'error 2:9 "hosts[0]" must be a host name such as "pets.example.com", found the number 1'],
    ["hosts: ['a:80']", 'error 2:9 The host "a:80" has a port | Write "a"; the port is a setting of `urocket serve`'],
    [
      "hosts: ['*.a']",
      'error 2:9 The host "*.a" has a wildcard, which this version of urocket does not support | List the hosts, or leave `hosts` out to answer for any',
    ],
    ["hosts: ['http://a/']", 'error 2:9 The host "http://a/" is not a host name | Leave out the scheme and the path'],
    ["hosts: [münchen.de]", 'error 2:9 The host "münchen.de" is not a host name | Clients send it as "xn--mnchen-3ya.de"; write that'],
    ["hosts: ['a b']", 'error 2:9 The host "a b" is not a host name'],
    ["sandbox: proces", 'error 2:10 "sandbox" must be process or container, found the text "proces" | Did you mean process?'],
    ["balance: random", 'error 2:10 "balance" must be least-requests or round-robin, found the text "random"'],
    ["balance: !x round-robin", 'error 2:13 The tag "!x" means nothing for "balance" | Only `cmd` takes tags: !ToSplit and !Splitted'],
    ["timeout: 5 days", `error 2:10 "timeout" must be ${durations}, found "5 days"`],
    ["timeout: -1", `error 2:10 "timeout" must be ${durations}, found "-1"`],
    ["timeout: 0", 'error 2:10 "timeout" must be at least 1ms, found "0"'],
    ["timeout: 25h", 'error 2:10 "timeout" must be at most 24h, found "25h"'],
    ["timeout: 0.5ms", 'error 2:10 "timeout" is "0.5ms", which is not a whole number of milliseconds'],
    ["timeout: true", `error 2:10 "timeout" must be ${durations}, found true`],
    ["limits: 5", 'error 2:9 "limits" must be a mapping of limits, found the number 5'],
    ["limits: { memory: 1Mi }", 'error 2:19 "limits.memory" must be at least 16Mi, found "1Mi"'],
    [
      "limits: { memory: 64 }",
      'error 2:19 "limits.memory" must be at least 16Mi, found "64" | A number alone is bytes: write 64Mi where MiB are meant',
    ],
    [
      "listeners: { tcp: 1234 }",
      'error 2:12 "listeners" must be a list of listeners, found a mapping | Begin each of the list on a line of its own with "- "',
    ],
    ["limits: { memory: 64m }", 'error 2:19 "limits.memory" must be a size such as 1024 (bytes), "64Mi", "128M" or "10Gi", found "64m"'],
    ["limits: { cpu: 0 }", 'error 2:16 "limits.cpu" must be at least 0.01, found "0"'],
    ["limits: { cpu: lots }", 'error 2:16 "limits.cpu" must be a number of CPUs such as 2, 0.5 or "500m", found "lots"'],
    ["limits: { pids: 3 }", 'error 2:17 "limits.pids" must be a whole number from 16 to 4194304, found the number 3'],
    ["limits: { pids: '64' }", 'error 2:17 "limits.pids" must be a whole number from 16 to 4194304, found the text "64"'],
    ["limits: { body: -5 }", 'error 2:17 "limits.body" must be a size such as 1024 (bytes), "64Mi", "128M" or "10Gi", found "-5"'],
    ["limits: { cpus: 1 }", 'error 2:11 Unknown key "cpus" in "limits" | Did you mean "cpu"?'],
    ["scale: { min: 3, max: 2 }", 'error 2:15 "scale.min" (3) is more than "scale.max" (2) | Raise max or lower min'],
    ["scale: { max: 0 }", 'error 2:15 "scale.max" must be a whole number from 1 to 1000, found the number 0'],
    ["scale: { queue: 1.5 }", 'error 2:17 "scale.queue" must be a whole number from 0 to 1000000, found the number 1.5'],
    ["scale: { concurrency: 0 }", 'error 2:23 "scale.concurrency" must be a whole number from 1 to 100000, found the number 0'],
    ["scale: { idle: 1y }", `error 2:16 "scale.idle" must be ${durations}, found "1y"`],
    ["socket: nowhere/r.sock", `error 2:9 Cannot make the socket "nowhere/r.sock": its folder does not exist | Create ./nowhere`],
    [
      "socket: exists.yaml",
      'error 2:9 Cannot make the socket "exists.yaml": something else is there | Move ./exists.yaml away, or choose another path',
    ],
    ["env: A=1", 'error 2:6 "env" must be a list of NAME=value, or a mapping of names to values, found the text "A=1"'],
    [
      "env: [A]",
      'error 2:7 "env[0]" must be NAME=value, found "A" without "=" | Programs inherit nothing of the host\'s environment but PATH, LANG and TZ; give the value here',
    ],
    [
      "env: [1A=x]",
      'error 2:7 "1A" is not a name of an environment variable | Names are made of letters, digits and _, and do not start with a digit',
    ],
    [
      "env: ['=x']",
      'error 2:7 "" is not a name of an environment variable | Names are made of letters, digits and _, and do not start with a digit',
    ],
    ["env:\n  - A: 1", 'error 3:5 "env[0]" must be NAME=value, found a mapping | Write A=1'],
    ["env: [5]", 'error 2:7 "env[0]" must be NAME=value, found the number 5'],
    ["env: { A: }", 'error 2:11 "env.A" must be a text, found nothing | For an empty value write A: ""'],
    ["env: { A: [] }", 'error 2:11 "env.A" must be a text, found a list'],
    ["env: { REQUEST_ID: x }", 'error 2:8 The environment variable "REQUEST_ID" is set by urocket itself | Choose another name'],
    ["env: [UROCKET_ANY=x]", 'error 2:7 The environment variable "UROCKET_ANY" is set by urocket itself | Choose another name'],
    ['env: ["A=\\0"]', 'error 2:7 The value of "A" holds a NUL character'],
    [
      `env: [A=${"x".repeat(131_070)}]`,
      'error 2:7 "A" and its value are 131072 bytes; the kernel takes 131071 at most | Put the value into a file',
    ],
  ])("%s is refused", async (top, message) => {
    expect(await told(file({ top }))).toEqual([message]);
  });

  test.each(["sites: []"])("%s is refused as not supported, not ignored", async (top) => {
    const key = top.slice(0, top.indexOf(":"));
    expect(await told(file({ top }))).toEqual([
      `error 2:1 "${key}" is not supported by this version of urocket | Take it out; nothing of the file is ever ignored`,
    ]);
  });

  const outside = "move it into .. What it imports may lie elsewhere";

  test.each([
    ["functions: 5", 'error 2:12 "functions" must be a file, found the number 5'],
    ["functions: src/f.ts", 'error 2:12 Cannot find the file of functions "src/f.ts" | There is no ./src/f.ts'],
    ["functions: folder", 'error 2:12 The file of functions "folder" is not a file that can be read | It is ./folder'],
    ["functions: folder/../..", `error 2:12 The file of functions "folder/../.." is outside of the app's folder | It is *; ${outside}`],
    ["functions: ../f.ts", `error 2:12 The file of functions "../f.ts" is outside of the app's folder | It is */f.ts; ${outside}`],
    [
      "functions: exists.yaml",
      'error 2:12 The file of functions "exists.yaml" is neither TypeScript nor JavaScript | A program in another language is started by `inject:` with `cmd:`',
    ],
    ["secrets: KEY", 'error 2:10 "secrets" must be a list of names of secrets, found the text "KEY"'],
    ["secrets: [5]", 'error 2:11 "secrets[0]" must be the name of a secret, found the number 5'],
    ...["../KEY", "a/b", ".hidden", "..", "a b", "", "x".repeat(129)].map((name) => [
      `secrets: ["${name}"]`,
      `error 2:11 The secret "${name.length > 60 ? `${"x".repeat(59)}…` : name}" is not a plain file name | Use letters, digits, _, - and . (not first), 128 at most: it is the name of the file that holds it`,
    ]),
    ["recycle: { age: 1ms }", 'error 2:17 "recycle.age" must be at least 1s, found "1ms"'],
    ["recycle: { requests: 0 }", 'error 2:22 "recycle.requests" must be a whole number from 1 to 1000000000, found the number 0'],
    ["recycle: { memory: 1M }", 'error 2:20 "recycle.memory" must be at least 16Mi, found "1M"'],
    ["recycle: { cpu: 1 }", 'error 2:12 Unknown key "cpu" in "recycle" | Known here: age, requests, memory'],
  ])("%s is refused", async (top, message = "") => {
    const [first, ...others] = await told(file({ top }), { "folder/x": "" });
    expect(others).toEqual([]);
    expect(first?.replace(/It is \/[^ ]*urocket-test-\w+/, "It is *")).toBe(message);
  });

  const addresses = 'Write a port alone (for 127.0.0.1), "127.0.0.1:1234", "[::1]:1234", or ":1234" for every address of the machine';
  const references = "Write a file and the name of its export, such as src/pets.ts#addPet";

  test.each([
    ["tcp: 1, unix: a, function: f.ts", 'error 1:23 "listeners[0]" has both "tcp" and "unix" | The other stands on line 1; keep one'],
    ["function: f.ts", 'error 1:13 "listeners[0]" has no address | Write `tcp:` with a port, or `unix:` with the path of a socket'],
    ["tcp: 1", 'error 1:13 "listeners[0]" has no "function" | Write the file and the export that answers a line, such as src/fib.ts#fib'],
    ["tcp: 65536, function: f.ts", `error 1:20 The port 65536 of "65536" is more than 65535 | ${addresses}`],
    ["tcp: -1, function: f.ts", `error 1:20 The address "-1" has no port | ${addresses}`],
    ["tcp: 1.5, function: f.ts", `error 1:20 The address "1.5" has no port | ${addresses}`],
    ["tcp: '127.0.0.1:', function: f.ts", `error 1:20 The address "127.0.0.1:" has no port | ${addresses}`],
    ["tcp: 'localhost:1', function: f.ts", `error 1:20 The address "localhost:1" is not an IP address | ${addresses}`],
    ["tcp: '1.2.3:1', function: f.ts", `error 1:20 The address "1.2.3:1" is not an IP address | ${addresses}`],
    ["tcp: '[fe80::1%eth0]:1', function: f.ts", `error 1:20 The address "[fe80::1%eth0]:1" is not an IP address | ${addresses}`],
    [
      "tcp: '::1:1234', function: f.ts",
      'error 1:20 The address "::1:1234" lacks brackets around its IPv6 address | Write it as "[::1]:1234"',
    ],
    [
      "tcp: true, function: f.ts",
      'error 1:20 "listeners[0].tcp" must be a port such as 1234, or an address and a port such as "127.0.0.1:1234" or "[::1]:1234", found true',
    ],
    ["unix: nowhere/a, function: f.ts", 'error 1:21 Cannot make the socket "nowhere/a": its folder does not exist | Create ./nowhere'],
    [
      "unix: exists.yaml, function: f.ts",
      'error 1:21 Cannot make the socket "exists.yaml": something else is there | Move ./exists.yaml away, or choose another path',
    ],
    ["tcp: 1, framing: frames, function: f.ts", 'error 1:32 "listeners[0].framing" must be lines, found the text "frames"'],
    ["tcp: 1, function: '#f'", `error 1:33 The function "#f" names no file | ${references}`],
    ["tcp: 1, function: 'f.ts#'", `error 1:33 The function "f.ts#" names no export after its # | ${references}, or leave out the # too`],
    ["tcp: 1, function: 'f.ts#a b'", `error 1:33 The export "a b" of the function "f.ts#a b" is not an identifier | ${references}`],
    ["tcp: 1, function: 'f#g#h'", `error 1:33 The function "f#g#h" holds more than one # | ${references}`],
    ["tcp: 1, function: g.ts", 'error 1:33 Cannot find the file of functions "g.ts" | There is no ./g.ts'],
    ["tcp: 1, function: f.ts, line: 1Mi", 'error 1:45 "listeners[0].line" must be at most 128Ki, found "1Mi"'],
    [
      "tcp: 1, function: f.ts, max-connections: 0",
      'error 1:56 "listeners[0].max-connections" must be a whole number from 1 to 1000000, found the number 0',
    ],
  ])("the listener %s is refused", async (listener, message) => {
    expect(await told(`listeners: [{ ${listener} }]`, { "f.ts": "" })).toEqual([message]);
  });

  test.each([
    ["{ tcp: 1, function: f.ts }, { tcp: '127.0.0.1:1', function: f.ts }", "tcp:1"],
    ["{ unix: a, function: f.ts }, { unix: ./a, function: f.ts }", "unix:./a"],
  ])("of the listeners %s the second is refused", async (listeners, name) => {
    const hint = "The other stands on line 1; keep one, or give it another address";
    expect(await told(`listeners: [${listeners}]`, { "f.ts": "" })).toEqual([
      expect.stringMatching(new RegExp(`^error 1:\\d+ Two listeners want ${RegExp.escape(name)} \\| ${hint}$`)),
    ]);
  });

  test("a socket path longer than the kernel takes is refused", async () => {
    const [problem] = await told(file({ top: `socket: /tmp/${"s".repeat(103)}` }));
    expect(problem).toBe(`error 2:9 The socket's path has 108 bytes; the kernel takes 107 at most | It is /tmp/${"s".repeat(103)}`);
    expect(await told(file({ top: `socket: /tmp/${"s".repeat(102)}` }))).toEqual([]);
  });

  test("a name is asked for when the folder's makes none", async () => {
    using app = appOf({ "123/urocket-service.yaml": file({}) });
    expect(await loadServiceFile(app.path("123"))).toMatchObject({
      problems: [
        { message: `The app has no name, and its folder's name "123" does not make one`, hint: "Add `name:` with a name such as pets" },
      ],
    });
  });

  test("an app without paths and contract has nothing to serve", async () => {
    expect(await told("name: x")).toEqual([
      "error 1:1 The app has nothing to serve: there is none of `paths`, `openapi`, `functions`, `service` and `listeners` | Add `paths:` with an operation",
    ]);
  });
});

describe("in the paths of a service file", () => {
  const handler = "{ inject: { cmd: sh } }";

  test.each([
    ["paths:", 'error 1:7 "paths" must be a mapping of paths to their verbs, found nothing | Give the key a value, or take it out'],
    ["paths: []", 'error 1:8 "paths" must be a mapping of paths to their verbs, found a list'],
    ["paths: { /a: sh }", 'error 1:14 "paths./a" must be a mapping of verbs (get, post, …) to operations, found the text "sh"'],
    [`paths: { "/a/{": { get: ${handler} } }`, 'error 1:10 The path "/a/{" has a "{" without its "}"'],
    [`paths: { /a: { Get: ${handler} } }`, 'error 1:16 Unknown key "Get" in "paths./a" | Did you mean "get"?'],
    [
      `paths: { /a: { get: ${handler}, GET: ${handler} } }`,
      'error 1:46 "GET" and "get" are spellings of the same key | The other stands on line 1; keep one',
    ],
    [
      `paths: { /a: { get: ${handler} }, a: { get: ${handler} } }`,
      "error 1:53 The operation GET /a is there twice | It stands first on line 1; keep one",
    ],
    [
      `paths: { "/a/{x}": { get: ${handler} }, "/a/{y}": { get: ${handler}, put: ${handler} } }`,
      "error 1:66 GET /a/{y} matches the same requests as GET /a/{x} | The other stands on line 1; keep one",
    ],
    [
      "paths: { /a: { get: } }",
      'error 1:21 "paths./a.get" must be a mapping with the operation\'s handler, found nothing | Give the key a value, or take it out',
    ],
    [
      "paths: { /a: { get: {} } }",
      'error 1:21 "paths./a.get" has no handler | Write `inject:` with the program to start, `function:` with a file and its export, or `service: true`',
    ],
    [
      "paths: { /a: { get: { function: exists.ts, inject: { cmd: sh } } } }",
      'error 1:44 "paths./a.get" has both "function" and "inject" | The other stands on line 1; keep one',
    ],
    [
      "paths: { /a: { get: { function: exists.ts, logstdout: false } } }",
      'error 1:44 "logstdout" is for programs, and a function serves this operation | Take it out',
    ],
    [
      "paths: { /a: { get: { function: exists.ts, outtake: 'usocket://{req_id}' } } }",
      'error 1:44 "outtake" is for programs, and a function serves this operation | Take it out',
    ],
    [
      "paths: { /a: { get: { inject: { cmd: sh, timeout: 1s }, timeout: 2s } } }",
      "error 1:57 The operation has two timeouts | The other stands in its `inject` on line 1; keep one",
    ],
    [
      "paths: { /a: { get: { function: exists.ts, validate-out: true } } }",
      "error 1:44 Cannot validate GET /a: the app has no contract | Add `openapi:` with the contract's file",
    ],
    ["paths: { /a: { get: { service: x } } }", 'error 1:32 "paths./a.get.service" must be true, found the text "x"'],
    ["paths: { ? [a] : { get: {} } }", "error 1:12 A key must be a text | Put quotes around a text that starts with { or ["],
  ])("%s is refused", async (yaml, message) => {
    expect(await told(yaml, { "exists.ts": "" })).toEqual([message]);
  });

  test.each([
    [
      "logstdout: yes",
      'error 1:54 "paths./.get.logstdout" must be true, false or header, found the text "yes" | YAML 1.2 reads "yes" as a text; write true',
    ],
    [
      "logstdout: headers",
      'error 1:54 "paths./.get.logstdout" must be true, false or header, found the text "headers" | Did you mean header?',
    ],
    [
      "validate-in: 'off'",
      'error 1:56 "paths./.get.validate-in" must be true or false, found the text "off" | YAML 1.2 reads "off" as a text; write false',
    ],
    ["validate-in: true", "error 1:43 Cannot validate GET /: the app has no contract | Add `openapi:` with the contract's file"],
    ["validateout: true", "error 1:43 Cannot validate GET /: the app has no contract | Add `openapi:` with the contract's file"],
    [
      "validate-in: false, validatein: false",
      'error 1:63 "validatein" and "validate-in" are spellings of the same key | The other stands on line 1; keep one',
    ],
    ["outtake: 'http://x/{req_id}'", `error 1:52 Unsupported outtake scheme "http" | ${supportedOuttakes}`],
    ["outtake: 'usocket:/x/{req_id}'", `error 1:52 The outtake "usocket:/x/{req_id}" lacks "//" after its scheme | ${supportedOuttakes}`],
    ["outtake: '/uri/{req_id}'", `error 1:52 The outtake "/uri/{req_id}" has no scheme | ${supportedOuttakes}`],
    [
      "outtake: 'usocket://uri'",
      `error 1:52 The outtake "usocket://uri" does not hold {req_id}, which names the request | ${supportedOuttakes}`,
    ],
    [
      "outtake: 'usocket://{req_id}/{req_id}'",
      `error 1:52 The outtake "usocket://{req_id}/{req_id}" holds more than once {req_id}, which names the request | ${supportedOuttakes}`,
    ],
    ["outtake: 'usocket://a b/{req_id}'", `error 1:52 The outtake "usocket://a b/{req_id}" is not a plain path | ${supportedOuttakes}`],
    ["outtake: 'usocket://a/../{req_id}'", `error 1:52 The outtake "usocket://a/../{req_id}" is not a plain path | ${supportedOuttakes}`],
    [
      "outtake: {req_id}",
      'error 1:52 "paths./.get.outtake" must be a reply address such as "usocket://uri/{req_id}", found a mapping | In YAML a text that starts with { needs quotes around it',
    ],
    ["injct: {}", 'error 1:43 Unknown key "injct" in "paths./.get" | Did you mean "inject"?'],
  ])("an operation with %s is refused", async (operation, message) => {
    expect(await told(file({ operation }))).toEqual([message]);
  });
});

describe("in the program of an operation", () => {
  const commands = 'a command such as "php list.php", or a list of its words such as [php, list.php]';

  test.each([
    ["wd: .", 'error 1:30 "paths./.get.inject" has no "cmd" | Write the program to start, such as `cmd: php list.php`'],
    ["cmd: ''", 'error 1:37 "paths./.get.inject.cmd" names no program | Its first word is the program to start'],
    ["cmd: []", 'error 1:37 "paths./.get.inject.cmd" names no program | Its first word is the program to start'],
    ["cmd: 5", `error 1:37 "paths./.get.inject.cmd" must be ${commands}, found the number 5`],
    [
      "cmd: [sh, {a: b}]",
      'error 1:42 "paths./.get.inject.cmd[1]" must be a word of the command, found a mapping | Put quotes around a word that starts with {, such as "{{jsonpayload}}"',
    ],
    ["cmd: [sh, null]", 'error 1:42 "paths./.get.inject.cmd[1]" must be a word of the command, found nothing | Put quotes around the word'],
    [
      `cmd: "sh 'x"`,
      `error 1:37 "paths./.get.inject.cmd" cannot be split into words: the quote ' at character 4 is not closed | Close it, or write the command as a list of words`,
    ],
    [
      "cmd: !Splitted sh x",
      'error 1:47 "paths./.get.inject.cmd" is tagged !Splitted but is a text | Write a list: !Splitted [php, list.php], or tag the text !ToSplit',
    ],
    [
      "cmd: !ToSplit [sh]",
      'error 1:46 "paths./.get.inject.cmd" is tagged !ToSplit but is a list | Write a text: !ToSplit "php list.php", or tag the list !Splitted',
    ],
    ["cmd: !ToSplt sh", 'error 1:45 Unknown tag "!ToSplt" at "paths./.get.inject.cmd" | Did you mean !ToSplit?'],
    [
      "cmd: !!binary sh",
      'error 1:46 Unknown tag "!!binary" at "paths./.get.inject.cmd" | Known: !ToSplit for a text, !Splitted for a list',
    ],
    ['cmd: "sh \\0"', 'error 1:37 "paths./.get.inject.cmd" holds a NUL character'],
    [
      `cmd: [sh, ${"x".repeat(131_072)}]`,
      'error 1:37 "paths./.get.inject.cmd" has a word of 131072 bytes; the kernel takes 131071 at most',
    ],
    [
      "cmd: '{{jsonpayload}} x', channel: cmdline",
      'error 1:37 "paths./.get.inject.cmd" starts with {{jsonpayload}}: the payload cannot choose the program | Put the program before it',
    ],
    [
      "cmd: 'sh {{ jsonpayload }}'",
      "error 1:37 {{jsonpayload}} needs the payload on the command line, and the channel is stdin | Write `channel: cmdline`, or take it out of `cmd`",
    ],
    [
      "cmd: sh, channel: stdn",
      'error 1:50 "paths./.get.inject.channel" must be stdin or cmdline, found the text "stdn" | Did you mean stdin?',
    ],
    ["cmd: sh, encoding: xml", 'error 1:51 "paths./.get.inject.encoding" must be json or raw, found the text "xml"'],
    ["cmd: sh, wd: nowhere", 'error 1:45 Cannot find the working directory "nowhere" | There is no ./nowhere'],
    [
      "cmd: sh, wd: exists.yaml",
      'error 1:45 The working directory "exists.yaml" is not a folder that can be entered | It is ./exists.yaml',
    ],
    ["cmd: sh, timeout: soon", `error 1:50 "paths./.get.inject.timeout" must be ${durations}, found "soon"`],
    [
      "cmd: sh, user: nobody-of-that-name",
      'error 1:47 There is no user "nobody-of-that-name" on this system | Create it, or take `user:` out',
    ],
    ["comand: sh", 'error 1:32 Unknown key "comand" in "paths./.get.inject" | Known here: cmd, wd, env, channel, encoding, timeout, user'],
  ])("%s is refused", async (inject, message) => {
    expect((await told(file({ inject }))).filter((line) => !line.includes('has no "cmd"') || message.includes('has no "cmd"'))).toEqual([
      message,
    ]);
  });

  test.each([
    [
      "cmd: echo a | sh",
      'warning 1:37 No shell runs: "|" in "paths./.get.inject.cmd" is passed to the program as a word | For a shell\'s syntax write [sh, -c, "…"]; to pass the word on purpose put it in quotes',
    ],
    [
      "cmd: 'sh 2>&1'",
      'warning 1:37 No shell runs: "2>&1" in "paths./.get.inject.cmd" is passed to the program as a word | For a shell\'s syntax write [sh, -c, "…"]; to pass the word on purpose put it in quotes',
    ],
    [
      "cmd: 'sh {{json_payload}}'",
      'warning 1:37 "{{json_payload}}" in "paths./.get.inject.cmd" is passed to the program as it is | Did you mean {{jsonpayload}}?',
    ],
    [
      "cmd: no-such-program",
      'warning 1:37 Cannot find the program "no-such-program" on PATH | Install it, or write its path; until then its requests are answered 502',
    ],
    [
      "cmd: run.sh",
      'warning 1:37 Cannot find the program "run.sh" on PATH | A file of that name is in the working directory: write ./run.sh',
    ],
    [
      "cmd: ./absent.sh",
      'warning 1:37 Cannot find the program "./absent.sh" | There is no ./absent.sh; until there is, its requests are answered 502',
    ],
    ["cmd: ./folder", 'warning 1:37 Cannot start the program "./folder": it is a folder'],
    ["cmd: './a b'", `warning 1:37 Cannot find the program "./a" | There is no ./a; until there is, its requests are answered 502`],
    ["cmd: [./a b]", `warning 1:37 Cannot start the program "./a b": it is not executable | Run: chmod +x './a b'`],
    ["cmd: ./exists.yaml", 'warning 1:37 Cannot start the program "./exists.yaml": it is not executable | Run: chmod +x ./exists.yaml'],
    [
      "cmd: ./plain",
      'warning 1:37 The program "./plain" is neither a binary nor a script with a #! line | Start ./plain with a line such as #!/bin/sh',
    ],
    [
      "cmd: ./orphan",
      'warning 1:37 Cannot start the program "./orphan": its interpreter "/nonexistent/interpreter" is not there | Install it, or mend the first line of ./orphan; until then its requests are answered 502',
    ],
    [
      "cmd: ./orphan-of-env",
      'warning 1:37 Cannot start the program "./orphan-of-env": its interpreter "no-such-language" is not there | Install it, or mend the first line of ./orphan-of-env; until then its requests are answered 502',
    ],
    [
      "cmd: ./windows",
      `warning 1:37 The first line of the program "./windows" ends with a carriage return, which the kernel takes for a part of the interpreter's name | Run: sed -i 's/\\r$//' ./windows`,
    ],
    [
      "cmd: sh absent.sh",
      'warning 1:37 Cannot find the script "absent.sh" of "sh" | There is no ./absent.sh; until there is, its requests are answered 502',
    ],
    [
      "cmd: sh -eu folder/absent.sh x",
      'warning 1:37 Cannot find the script "folder/absent.sh" of "sh" | There is no ./folder/absent.sh; until there is, its requests are answered 502',
    ],
    [
      "cmd: bun run absent.ts",
      'warning 1:37 Cannot find the script "absent.ts" of "bun" | There is no ./absent.ts; until there is, its requests are answered 502',
    ],
    [
      "cmd: sh, env: [PATH=/nowhere]",
      'warning 1:37 Cannot find the program "sh" on PATH | Install it, or write its path; until then its requests are answered 502',
    ],
  ])("%s gets a warning", async (inject, message) => {
    using app = appOf({
      "urocket-service.yaml": file({ inject }),
      "exists.yaml": "",
      "run.sh": "#!/bin/sh\n",
      "a b": "",
      plain: "echo\n",
      orphan: "#!/nonexistent/interpreter -x\n",
      "orphan-of-env": "#!/usr/bin/env no-such-language\n",
      windows: "#!/bin/sh\r\n",
      "folder/x": "",
    });
    chmodSync(app.path("plain"), 0o755);
    const loaded = await loadServiceFile(app.folder);
    if (!loaded.ok) throw new Error(loaded.problems.map(formatDiagnostic).join("\n"));
    const short = loaded.warnings.map(
      ({ severity, place, message: text, hint }) =>
        `${severity} ${place?.line}:${place?.column} ${text}${hint === undefined ? "" : ` | ${hint}`}`,
    );
    expect(short.map((line) => line.replaceAll(app.folder, "."))).toEqual([message]);
  });

  test.each(["sh run.sh", "sh -c 'cat nowhere'", "sh -s", "sh ls", "bun run build", "bun --print 1", "sh {{jsonpayload}}"])(
    "%s is no missing script",
    async (cmd) => {
      expect(await told(file({ inject: `cmd: "${cmd}", channel: cmdline` }), { "run.sh": "" })).toEqual([]);
    },
  );

  test("a script beside the service file, in the working directory, and one of urocket's own commands are found", async () => {
    const yaml =
      "paths: { /a: { get: { inject: { cmd: ./run.sh } } }, /b: { get: { inject: { cmd: ./b.sh, wd: scripts } } }, /c: { get: { inject: { cmd: urocket reply } } } }";
    expect(await told(yaml, { "run.sh": "#!/bin/sh\n", "scripts/b.sh": "#!/bin/sh\n" })).toEqual([]);
  });

  test("a user needs root, and may be a number", async () => {
    using users = appOf({ passwd: "root:x:0:0:root:/root:/bin/sh\nweb:x:33:33::/:/bin/false\n" });
    const standing = (uid: number): Standing => ({ ...ownStanding(), uid, usersFile: users.path("passwd") });
    expect(await told(file({ inject: "cmd: sh, user: web" }), {}, standing(0))).toEqual([]);
    expect(await told(file({ inject: "cmd: sh, user: 33" }), {}, standing(0))).toEqual([]);
    expect(await told(file({ inject: "cmd: sh, user: web" }), {}, standing(1000))).toEqual([
      'error 1:47 Running a program as "web" needs root | Run urocket as root, or take `user:` out',
    ]);
    expect(await told(file({ inject: "cmd: sh, user: web" }), {}, { ...standing(0), usersFile: users.path("none") })).toHaveLength(1);
    expect(await told(file({ inject: "cmd: sh, user: 34" }), {}, standing(0))).toEqual([
      'error 1:47 There is no user "34" on this system | Create it, or take `user:` out',
    ]);
  });
});

describe("YAML", () => {
  test.each([
    ["", ["error 1:1 The file is empty | Run `urocket init` in an empty folder to see a complete one"]],
    ["# nothing\n", ["error 1:1 The file is empty | Run `urocket init` in an empty folder to see a complete one"]],
    ["- a\n", ["error 1:1 A service file must be a mapping of keys to values, found a list"]],
    ["just text\n", ['error 1:1 A service file must be a mapping of keys to values, found the text "just text"']],
    ["a: 1\n---\nb: 1\n", ["error 2:1 A second document starts here; a service file is one"]],
    ["paths:\n\t/: x\n", ["error 2:1 Tabs are not allowed as indentation | Indent with spaces"]],
    ["name: 'x\n", ["error 1:7 This ' is never closed | Put another ' at the text's end; within the text write ''"]],
    ["paths:\n  /: a: b\n", ['error 2:6 The value holds ": ", as if it were a key | Put quotes around a text that holds ": "']],
    ["name: @x\n", ["error 1:7 Plain value cannot start with reserved character @ | Put quotes around this text"]],
    ["name: *nope\n", ['error 1:7 The alias "*nope" has no anchor before it | Write `&nope` before the value that is meant']],
    ["x-a: &a [*a]\n", ['error 1:10 The alias "*a" stands within the value that it names']],
    ["x-a: &a { <<: *a }\n", ['error 1:15 The alias "*a" stands within the value that it names']],
    [
      "<<: 5\nopenapi: exists.yaml",
      ['error 1:5 The merge key "<<" takes a mapping, or a list of mappings | Write `<<: *name`, where `&name` stands before a mapping'],
    ],
    [
      `x-a: ${"[".repeat(depthMax + 1)}${"]".repeat(depthMax + 1)}\n`,
      [`error 1:${6 + depthMax} Values are nested more than ${depthMax} deep`],
    ],
  ])("%j is refused with its place", async (yaml, problems) => {
    expect(await told(yaml)).toEqual(problems);
  });

  test("nested a hundred thousand deep is refused, and quickly", async () => {
    const [problem, ...others] = await told(`x-a: ${"[".repeat(100_000)}`);
    expect(problem).toContain(`Values are nested more than ${depthMax} deep`);
    expect(others).toEqual([]);
  });

  test("that unfolds to a billion values is refused", async () => {
    const levels = Array.from({ length: 9 }, (_, level) => `x-${level + 1}: &a${level + 1} [${Array(10).fill(`*a${level}`).join(", ")}]`);
    expect(await told(`x-0: &a0 [lol]\n${levels.join("\n")}\n`)).toEqual([
      expect.stringContaining(`Aliases and merge keys unfold to more than ${aliasedValuesMax} values`),
    ]);
  });

  test("whose merge keys unfold without end is refused", async () => {
    const keys = Array.from({ length: 500 }, (_, key) => `k${key}: 1`).join(", ");
    const merges = Array(400).fill("  - <<: *a").join("\n");
    expect(await told(`x-a: &a { ${keys} }\nx-b:\n${merges}\n`)).toEqual([
      expect.stringContaining(`Aliases and merge keys unfold to more than ${aliasedValuesMax} values`),
    ]);
  });

  test("that stands under many aliases within the limit is taken", async () => {
    const rows = Array.from({ length: 300 }, (_, row) => `  /r${row}: *a`).join("\n");
    expect(await told(`x-a: &a { get: { inject: { cmd: sh } } }\npaths:\n${rows}\n`)).toEqual([]);
  });
});

describe("the file itself", () => {
  const problem = async (folder: string) => {
    const loaded = await loadServiceFile(folder);
    return loaded.ok ? [] : loaded.problems.map(({ file: about, message, hint }) => ({ about, message, hint }));
  };

  test("is asked for when it is not there", async () => {
    using app = appOf({ "readme.txt": "" });
    expect(await problem(app.folder)).toEqual([
      {
        about: app.folder,
        message: "There is no service file in app",
        hint: "Create urocket-service.yaml, or run `urocket init` to start an app",
      },
    ]);
  });

  test.each([
    ["urocket-servce.yaml", "urocket-service.yaml"],
    ["urocket.yml", "urocket-service.yml"],
    ["Urocket-Service.JSON", "urocket-service.json"],
  ])("is known by its name: %s is not it, but meant as it", async (name, meant) => {
    using app = appOf({ [name]: "", "openapi.yaml": "" });
    expect(await problem(app.folder)).toMatchObject([
      {
        message: "There is no service file in app",
        hint: `If ${name} is meant, rename it: mv ${app.path(name)} ${app.path(meant)}`,
      },
    ]);
  });

  test("must be the only one", async () => {
    using app = appOf({ "urocket-service.yaml": "", "urocket-service.json": "" });
    expect(await problem(app.folder)).toEqual([
      {
        about: app.folder,
        message: "There is more than one service file: urocket-service.yaml and urocket-service.json",
        hint: "Keep one of them",
      },
    ]);
  });

  test("lies in a folder", async () => {
    using app = appOf({ "urocket-service.yaml": "" });
    expect(await problem(app.path("nowhere"))).toEqual([
      { about: app.path("nowhere"), message: "There is no such folder", hint: undefined },
    ]);
    expect(await problem(app.path("urocket-service.yaml"))).toEqual([
      {
        about: app.path("urocket-service.yaml"),
        message: "An app is a folder, and this is a file",
        hint: `Give its folder: ${app.folder}`,
      },
    ]);
    expect(await problem("/dev/null")).toEqual([{ about: "/dev/null", message: "This is not a folder that can be read", hint: undefined }]);
  });

  test("is a file, of at most 1 MiB, in UTF-8", async () => {
    using app = appOf({ "a/urocket-service.yaml/x": "", "b/urocket-service.yaml": `# ${"x".repeat(serviceFileBytesMax)}` });
    expect(await problem(app.path("a"))).toMatchObject([
      { message: "The service file is a folder", hint: "Move it away, and write the service file in its place" },
    ]);
    expect(await problem(app.path("b"))).toMatchObject([
      { message: `The service file is larger than 1Mi (${serviceFileBytesMax + 2} bytes)`, hint: "Split the app into several" },
    ]);
    mkdirSync(app.path("c"));
    writeFileSync(app.path("c/urocket-service.yaml"), Buffer.from("name: caf\u00e9", "latin1"));
    expect(await problem(app.path("c"))).toMatchObject([{ message: "The service file is not UTF-8", hint: "Save it as UTF-8" }]);
    mkdirSync(app.path("d"));
    symlinkSync("nowhere", app.path("d/urocket-service.yaml"));
    expect(await problem(app.path("d"))).toMatchObject([{ message: "There is no service file in d" }]);
  });

  test("of many mistakes tells a hundred of them and how many there are", async () => {
    const keys = Array.from({ length: 150 }, (_, key) => `zzzzzzzzz${key}: 1`).join("\n");
    const problems = await diagnostics(`${keys}\nopenapi: exists.yaml\n`);
    expect(problems).toHaveLength(problemsMax + 1);
    expect(problems.at(-1)).toMatchObject({ severity: "error", message: "50 more problems are not shown", hint: "Mend these first" });
  });
});

test("a file with many mistakes tells them all at once, each with its line", async () => {
  const folder = join(import.meta.dir, "../../tests/many-mistakes");
  const loaded = await loadServiceFile(folder);
  const shown = loaded.ok ? "" : `${loaded.problems.map(formatDiagnostic).join("\n")}\n`;
  expect(shown.replaceAll(`${folder}/`, "")).toBe(await Bun.file(join(folder, "expected.txt")).text());
});

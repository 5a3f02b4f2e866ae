/**
 * Every key of the service file: what it holds, its default, and what is told about it. The checker and the JSON Schema
 * are both made of this description.
 */
import type { Method } from "./app.ts";
import { programCommand, serviceCommand } from "./command.ts";
import { environment, serviceEnvironment } from "./environment.ts";
import type { Field } from "./fields.ts";
import { fields, table } from "./fields.ts";
import { functionReference } from "./function-reference.ts";
import { health, healthDefaults } from "./health.ts";
import { host } from "./host-names.ts";
import { tcpAddress } from "./listener-address.ts";
import { outtake, outtakeDefault } from "./outtake.ts";
import type { Shape, TypeOf } from "./shape.ts";
import { choice, cpu, duration, flag, integer, list, named, size, text } from "./shape.ts";
import { quoted } from "./value.ts";

const hour = 3_600_000;
const Ki = 1024;
const Mi = 1024 * Ki;
const Ti = 1024 ** 4;

/** Defaults of the keys that have a fixed one. */
export const defaults = {
  timeoutMs: 30_000,
  bodyBytesMax: 10 * Mi,
  scaleMin: 0,
  scaleMax: 4,
  concurrency: 32,
  serviceConcurrency: 1024,
  queue: 256,
  idleMs: 5 * 60_000,
  listenerIdleMs: 5 * 60_000,
  lineBytesMax: 64 * Ki,
  connectionsMax: 1024,
  tmpBytesMax: 64 * Mi,
  servicePort: 8080,
  serviceStartMs: 30_000,
  serviceIdleMs: 5 * 60_000,
  health: healthDefaults,
} as const;

const labelPattern = "^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$";

/** An RFC 1035 label (§2.3.1), lower case: it becomes part of host names, file names and image names. */
export const isLabel = (name: string): boolean => new RegExp(labelPattern).test(name);

const name = text({
  expected: "a name",
  pattern: labelPattern,
  refuse: (written) =>
    isLabel(written)
      ? undefined
      : {
          message: `The name ${quoted(written)} is not an RFC 1035 label`,
          hint: "Use lower-case letters, digits and -, starting with a letter and ending in a letter or digit, 63 at most",
        },
});

const notEmpty = (expected: string): Shape<string> =>
  text({
    expected,
    pattern: ".",
    refuse: (written) => (written.trim() === "" ? { message: `An empty text stands where ${expected} is wanted` } : undefined),
  });

const timeout: Field<number> = {
  shape: duration({ min: 1, max: 24 * hour }),
  description: "Deadline of the whole exchange: waiting, running and replying. A plain number is milliseconds.",
  default: "30s",
  examples: ["5s", "250ms", "2m"],
};

const inject = named(
  "inject",
  fields(
    {
      cmd: {
        shape: programCommand,
        description:
          "The program, and its arguments. A text is split as a shell splits words, but no shell runs; a list is taken as it is. {{jsonpayload}} in an argument stands for the payload (channel: cmdline).",
        examples: ["php list.php", ["python3", "list.py"]],
      },
      wd: {
        shape: notEmpty("a folder"),
        description: "Working directory of the program, relative to the app's folder. Default: the app's folder.",
        examples: ["scripts"],
      },
      env: {
        shape: environment,
        description: "Environment variables for the program, as NAME=value; these go before the app's.",
        examples: [["LOG=debug"]],
      },
      channel: {
        shape: choice(["stdin", "cmdline"]),
        description: "How the payload reaches the program: on its standard input, or as its last argument.",
        default: "stdin",
      },
      encoding: {
        shape: choice(["json", "raw"]),
        description: "The payload's form: JSON, or the body's bytes untouched.",
        default: "json",
      },
      timeout: { ...timeout, description: `${timeout.description} Default: the app's.`, default: undefined },
      user: {
        shape: userName(),
        description: "User of the system to run the program as, by name or number. Needs root.",
        examples: ["www-data"],
      },
    },
    { expected: "a mapping with the program to start", required: { cmd: "Write the program to start, such as `cmd: php list.php`" } },
  ),
);

const called: Field<TypeOf<typeof functionReference>> = {
  shape: functionReference,
  description:
    "An export of a TypeScript or JavaScript file in the app's folder: file#export. Without an export: the one named as the contract's operationId, else the default one.",
  examples: ["src/pets.ts#addPet"],
};

const operation = named(
  "operation",
  fields(
    {
      inject: { shape: inject, description: "A program that is started for every request." },
      function: called,
      service: { shape: choice([true]), description: "The app's daemon, which `service` at the top describes." },
      timeout: {
        ...timeout,
        description: `${timeout.description} Default: the service's of a service, else the app's.`,
        default: undefined,
      },
      outtake: {
        shape: outtake,
        description: "Where the program puts its reply: a path on the reply socket that holds {req_id}.",
        default: outtakeDefault,
      },
      logstdout: {
        shape: choice([true, false, "header"]),
        description: "Whether the program's standard output is logged; header: only where the request carries X-Urocket-Log-Stdout: 1.",
        default: true,
      },
      "validate-in": {
        shape: flag(),
        spellings: ["validatein"],
        description: "Whether requests are checked against the contract. Default: true where the contract has the operation.",
      },
      "validate-out": {
        shape: flag(),
        spellings: ["validateout"],
        description: "Whether replies are checked against the contract.",
        default: false,
      },
    },
    {
      expected: "a mapping with the operation's handler",
      oneOf: {
        keys: ["inject", "function", "service"],
        missing: "no handler",
        hint: "Write `inject:` with the program to start, `function:` with a file and its export, or `service: true`",
      },
      schema: {
        dependentRequired: { outtake: ["inject"], logstdout: ["inject"] },
        not: { required: ["inject", "timeout"], properties: { inject: { required: ["timeout"] } } },
      },
    },
  ),
);

export type ReadInject = TypeOf<typeof inject>;
export type ReadOperation = TypeOf<typeof operation>;

const verb = (method: string): Field<ReadOperation> => ({
  shape: operation,
  description: `What answers ${method} requests to this path.`,
  spellings: [method],
});

export type ReadPathItem = TypeOf<typeof pathItem>;

/** Verbs in lower case, as OpenAPI writes them; upper case is another spelling. */
const pathItem = named(
  "path",
  fields(
    {
      get: verb("GET"),
      put: verb("PUT"),
      post: verb("POST"),
      delete: verb("DELETE"),
      options: verb("OPTIONS"),
      head: verb("HEAD"),
      patch: verb("PATCH"),
      trace: verb("TRACE"),
    } satisfies Record<Lowercase<Method>, Field<ReadOperation>>,
    { expected: "a mapping of verbs (get, post, …) to operations" },
  ),
);

const limits = fields(
  {
    memory: {
      shape: size({ min: 16 * Mi, max: 16 * Ti }),
      description: "Memory of one instance and its programs together. Default: not limited.",
      examples: ["256Mi"],
    },
    cpu: {
      shape: cpu({ min: 0.01, max: 1024 }),
      description: "CPUs' worth of time of one instance and its programs. Default: not limited.",
      examples: [1, "500m"],
    },
    pids: {
      shape: integer({ min: 16, max: 4_194_304 }),
      description: "Processes and threads of one instance; its runner needs about a dozen. Default: not limited.",
      examples: [128],
    },
    tmp: {
      shape: size({ min: 64 * Ki, max: 16 * Ti }),
      description: "The private /tmp of an instance in a container, which is memory. Counts towards `memory`.",
      default: "64Mi",
    },
    body: { shape: size({ min: 0, max: 16 * Ti }), description: "Bytes of a request's body.", default: "10Mi" },
  },
  { expected: "a mapping of limits" },
);

const scale = fields(
  {
    min: { shape: integer({ min: 0, max: 1000 }), description: "Instances that are kept running.", default: defaults.scaleMin },
    max: { shape: integer({ min: 1, max: 1000 }), description: "Instances at the most.", default: defaults.scaleMax },
    concurrency: {
      shape: integer({ min: 1, max: 100_000 }),
      description:
        "Programs of the app that run at once; calls of functions, or requests to its service, at once in each instance. Default: 32; of an app with a service 1024.",
      examples: [32],
    },
    queue: {
      shape: integer({ min: 0, max: 1_000_000 }),
      description: "Exchanges that wait beyond those; more are answered 503.",
      default: defaults.queue,
    },
    idle: { shape: duration({ min: 0, max: 168 * hour }), description: "How long an instance without work is kept.", default: "5m" },
  },
  { expected: "a mapping of figures" },
);

const recycle = fields(
  {
    age: {
      shape: duration({ min: 1000, max: 8760 * hour }),
      description: "Time since its start. Default: not for that reason.",
      examples: ["24h"],
    },
    requests: {
      shape: integer({ min: 1, max: 1_000_000_000 }),
      description: "Requests, and lines, that it has served. Default: not for that reason.",
      examples: [100_000],
    },
    memory: {
      shape: size({ min: 16 * Mi, max: 16 * Ti }),
      description: "Memory that it uses. Default: not for that reason.",
      examples: ["200Mi"],
    },
  },
  { expected: "a mapping of figures" },
);

/** Names that are files, and nothing that could lead out of their folder. */
const secretPattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$";

const secret = text({
  expected: "the name of a secret",
  pattern: secretPattern,
  refuse: (written) =>
    new RegExp(secretPattern).test(written)
      ? undefined
      : {
          message: `The secret ${quoted(written)} is not a plain file name`,
          hint: "Use letters, digits, _, - and . (not first), 128 at most: it is the name of the file that holds it",
        },
});

const listener = named(
  "listener",
  fields(
    {
      tcp: {
        shape: tcpAddress,
        description:
          "A TCP port, on 127.0.0.1, or an address and a port; :PORT is every address of the machine. Port 0 is any that is free.",
        examples: [1234, "127.0.0.1:1234", "[::1]:1234", ":1234"],
      },
      unix: {
        shape: notEmpty("a path"),
        description: "The path of a unix socket, relative to the app's folder.",
        examples: ["/run/fibber.sock"],
      },
      framing: {
        shape: choice(["lines"]),
        description: "How a connection's bytes are taken apart: lines, each answered by a line, in order.",
        default: "lines",
      },
      function: {
        ...called,
        description: "The export that answers a line: file#export. Without an export the default one.",
        examples: ["src/fib.ts#fib"],
      },
      timeout: { ...timeout, description: "Deadline of one line, from when it came. Default: the app's.", default: undefined },
      idle: { shape: duration({ min: 1, max: 168 * hour }), description: "How long a connection may be silent.", default: "5m" },
      line: { shape: size({ min: 1, max: 128 * Ki }), description: "Bytes of a line, without its end.", default: "64Ki" },
      "max-connections": {
        shape: integer({ min: 1, max: 1_000_000 }),
        description: "Connections that are open at once.",
        default: defaults.connectionsMax,
      },
    },
    {
      expected: "a mapping with an address and a function",
      required: { function: "Write the file and the export that answers a line, such as src/fib.ts#fib" },
      oneOf: { keys: ["tcp", "unix"], missing: "no address", hint: "Write `tcp:` with a port, or `unix:` with the path of a socket" },
    },
  ),
);

export type ReadListener = TypeOf<typeof listener>;

const service = named(
  "service",
  fields(
    {
      cmd: {
        shape: serviceCommand,
        description:
          "The daemon, and its arguments. A text is split as a shell splits words, but no shell runs; a list is taken as it is. {{port}} and {{host}} stand for where it is to listen; PORT and HOST in its environment say the same.",
        examples: ["bun server.ts", ["./server", "--listen", "{{host}}:{{port}}"]],
      },
      wd: {
        shape: notEmpty("a folder"),
        description: "Its working directory, relative to the app's folder. Default: the app's folder.",
        examples: ["server"],
      },
      env: {
        shape: serviceEnvironment,
        description: "Environment variables for the daemon, as NAME=value; these go before the app's.",
        examples: [["NODE_ENV=production"]],
      },
      port: {
        shape: integer({ min: 1, max: 65_535 }),
        description: "Where it listens in a container. In a process sandbox it is told a free port, by PORT and {{port}}.",
        default: defaults.servicePort,
      },
      health: {
        shape: health,
        description:
          "How it is seen that it is well: a path that answers 2xx, or a mapping with `path`, `every`, `timeout` and `failures`. Default: its port accepts connections.",
        examples: ["/healthz"],
      },
      start: {
        shape: duration({ min: 1, max: hour }),
        description: "How long it may take from its start until it is ready.",
        default: "30s",
      },
      timeout: {
        ...timeout,
        description: "How long a request may wait for the head of its reply. Default: the app's.",
        default: undefined,
      },
      idle: {
        shape: duration({ min: 1, max: 168 * hour }),
        description: "How long a reply, or a WebSocket, may be silent on both sides once it has begun.",
        default: "5m",
      },
    },
    {
      expected: "a mapping with the daemon to start, such as { cmd: bun server.ts }",
      required: { cmd: "Write the daemon to start, such as `cmd: bun server.ts`" },
    },
  ),
);

/** Keys of which an app has one at least. */
export const served = ["paths", "openapi", "functions", "service", "listeners"] as const;

export const serviceFile = fields(
  {
    $schema: { shape: text({ expected: "the address of this schema" }), description: "For editors; not read." },
    name: {
      shape: name,
      spellings: ["servicename"],
      description: "The app's name, an RFC 1035 label. Default: the folder's name.",
      examples: ["pets"],
    },
    openapi: {
      shape: notEmpty("a file"),
      description: "The OpenAPI 3.0 or 3.1 document, relative to the app's folder.",
      examples: ["openapi.yaml"],
    },
    functions: {
      shape: notEmpty("a file"),
      description:
        "A TypeScript or JavaScript file in the app's folder. Its exports that are named as operationIds of the contract serve those operations; its default export serves what nothing else does.",
      examples: ["src/functions.ts"],
    },
    base: { shape: notEmpty("a path"), description: "Prefix of every path below.", default: "/", examples: ["/v1"] },
    hosts: {
      shape: list(host, "a list of host names"),
      description: "Virtual hosts that the app answers for, without ports. Default: any.",
      examples: [["pets.example.com"]],
    },
    service: {
      shape: service,
      description: "The app's own HTTP daemon. Operations with no other handler are its; without a contract every path is.",
      examples: [{ cmd: "bun server.ts", health: "/healthz" }],
    },
    sandbox: { shape: choice(["process", "container"]), description: "What confines an instance.", default: "process" },
    network: {
      shape: choice(["open", "internal", "none"]),
      description: "What an instance in a container reaches. open: the outside and the bridge; internal: only the bridge; none: nothing.",
      default: "open",
    },
    rootfs: {
      shape: notEmpty("a folder"),
      description:
        "Root filesystem of a container, read-only, relative to the app's folder. Default: the host's own /usr and what belongs to it.",
      examples: ["rootfs"],
    },
    data: {
      shape: flag(),
      description: "Whether the app has a folder that outlives its instances: UROCKET_APP_DATA, which is /data in a container.",
      default: false,
    },
    socket: {
      shape: notEmpty("a path"),
      spellings: ["socketpath"],
      description:
        "A fixed path for the reply socket, relative to the app's folder. Programs are always told their instance's own in UROCKET_SOCKET.",
      examples: ["/tmp/urocket.sock"],
    },
    env: {
      shape: environment,
      description: "Environment variables for every program and function of the app, as NAME=value.",
      examples: [["LOG=debug"]],
    },
    secrets: {
      shape: list(secret, "a list of names of secrets"),
      description: "Names of secrets. Programs and functions find each as a file of that name in the folder UROCKET_SECRETS.",
      examples: [["API_KEY"]],
    },
    timeout,
    limits: { shape: limits, description: "What an instance, and a request, may use." },
    scale: { shape: scale, description: "How many instances run, and how many exchanges." },
    recycle: { shape: recycle, description: "When an instance is replaced though it serves well; whichever comes first." },
    balance: {
      shape: choice(["least-requests", "round-robin"]),
      description: "How exchanges are shared among instances.",
      default: "least-requests",
    },
    paths: {
      shape: table(pathItem, { expected: "a mapping of paths to their verbs", keyPattern: "^\\S*$" }),
      description: "Operations by path (with {parameters}, as in the contract) and verb.",
      examples: [{ "/pets": { get: { inject: { cmd: "php list.php" } } } }],
    },
    listeners: {
      shape: list(listener, "a list of listeners"),
      description: "Sockets on which functions answer lines.",
      examples: [[{ tcp: 1234, function: "src/fib.ts#fib" }]],
    },
  },
  {
    expected: "a mapping of keys to values",
    later: ["sites"],
    extensions: true,
    schema: { anyOf: served.map((key) => ({ required: [key] })) },
  },
);

export type ReadServiceFile = TypeOf<typeof serviceFile>;

/** A user by name, or by number as YAML reads it. */
function userName(): Shape<string> {
  const asText = notEmpty("a user");
  return {
    expected: "a user's name or number",
    read: (value, key, reading) => (value.kind === "number" && /^\d+$/.test(value.text) ? value.text : asText.read(value, key, reading)),
    schema: () => ({ type: ["string", "integer"], minLength: 1, minimum: 0 }),
  };
}

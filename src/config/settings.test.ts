import { describe, expect, test } from "bun:test";
import { type Environment, readServeSettings, type ServeFlags, type ServeMode, type ServeSettings } from "./settings.ts";

const machine = { memoryBytes: 4 * 2 ** 30, uid: 0, home: "/root" };
const unsaid = {
  network: { bridge: "urocket0", subnet: "10.201.0.0/16", subnet6: "fd75:726f:636b:c9::/64" },
  trustedProxies: [],
  dataFolder: "/var/lib/urocket",
};

function read(flags: ServeFlags, environment: Environment = {}, mode: ServeMode = "serve"): ServeSettings {
  const outcome = readServeSettings(mode, flags, environment, machine);
  if (!outcome.ok) throw new Error(outcome.problems.map(({ message }) => message).join("; "));
  return outcome.settings;
}

function problems(flags: ServeFlags, environment: Environment = {}): string[] {
  const outcome = readServeSettings("serve", flags, environment, machine);
  return outcome.ok ? [] : outcome.problems.map(({ message }) => message);
}

test("without flags and variables the defaults hold", () => {
  const common = { port: 8080, address: "127.0.0.1", timing: false, graceMs: 30_000, requests: "all", spares: 1, ...unsaid } as const;
  expect(read({})).toEqual({ ...common, watch: false, log: "auto", docs: false });
  expect(read({}, {}, "dev")).toEqual({ ...common, watch: true, log: "pretty", docs: true });
});

test("dev watches whatever is said elsewhere; its other defaults give way", () => {
  const environment = { UROCKET_WATCH: "0", UROCKET_LOG: "json" };
  expect(read({ docs: false }, environment, "dev")).toMatchObject({ watch: true, log: "json", docs: false });
});

test("a small machine keeps no spares, unless told to", () => {
  const small = { ...machine, memoryBytes: 2 ** 30 - 1 };
  expect(readServeSettings("serve", {}, {}, small)).toMatchObject({ settings: { spares: 0 } });
  expect(readServeSettings("serve", { spares: "2" }, {}, small)).toMatchObject({ settings: { spares: 2 } });
});

test("spares are a small number", () => {
  expect([read({ spares: "0" }).spares, read({}, { UROCKET_SPARES: "64" }).spares]).toEqual([0, 64]);
  for (const spares of ["", "-1", "65", "1.5", "many"]) {
    expect(problems({ spares })).toEqual([`Cannot use --spares ${JSON.stringify(spares)}: it is not a number from 0 to 64`]);
  }
});

test("secrets are in the folder that is named, else where systemd put them, else nowhere", () => {
  const environment = { UROCKET_SECRETS_DIR: "/etc/urocket", CREDENTIALS_DIRECTORY: "/run/credentials/urocket" };
  expect(read({ secrets: "mine" }, environment).secretsFolder).toBe(`${process.cwd()}/mine`);
  expect(read({}, environment).secretsFolder).toBe("/etc/urocket");
  expect(read({}, { ...environment, UROCKET_SECRETS_DIR: "" }).secretsFolder).toBe("/run/credentials/urocket");
  expect(read({}).secretsFolder).toBeUndefined();
  expect(problems({ secrets: "" })).toEqual(['Cannot use --secrets "": it is empty']);
});

test("a variable wins over the default, and a flag over the variable", () => {
  const environment = {
    UROCKET_PORT: "1",
    UROCKET_ADDRESS: "::1",
    UROCKET_TIMING: "1",
    UROCKET_WATCH: "true",
    UROCKET_GRACE: "5s",
    UROCKET_LOG: "json",
    UROCKET_REQUESTS: "failed",
    UROCKET_SPARES: "3",
    UROCKET_DOCS: "yes",
  };
  const said = {
    port: 1,
    address: "::1",
    timing: true,
    watch: true,
    graceMs: 5000,
    log: "json",
    requests: "failed",
    spares: 3,
    docs: true,
    ...unsaid,
  } as const;
  expect(read({}, environment)).toEqual(said);
  const flags = { port: "2", address: "127.0.0.2", timing: false, watch: false, grace: "100", log: "pretty", requests: "all", docs: false };
  expect(read({ ...flags, spares: "4" }, environment)).toEqual({
    port: 2,
    address: "127.0.0.2",
    timing: false,
    watch: false,
    graceMs: 100,
    log: "pretty",
    requests: "all",
    spares: 4,
    docs: false,
    ...unsaid,
  });
});

test("an empty variable counts as unset", () => {
  expect(read({}, { UROCKET_PORT: "", UROCKET_TIMING: "" })).toMatchObject({ port: 8080, timing: false });
});

test("every bad value is told at once, with where it came from", () => {
  expect(problems({ port: "80a", grace: "soon" }, { UROCKET_LOG: "xml", UROCKET_TIMING: "maybe", UROCKET_PORT: "also bad" })).toEqual([
    'Cannot use --port "80a": it is not a port',
    'Cannot use UROCKET_TIMING "maybe": it is neither true nor false',
    'Cannot use --grace "soon": it is not a duration',
    'Cannot use UROCKET_LOG "xml": it is no form of log',
  ]);
});

describe("ports", () => {
  for (const port of ["0", "1", "65535"]) test(`${port} is one`, () => expect(read({ port }).port).toBe(Number(port)));
  for (const port of ["", "-1", "65536", "1e3", "0x50", " 80", "80.5", "999999"]) {
    test(`${JSON.stringify(port)} is none`, () => expect(problems({ port })).toHaveLength(1));
  }
});

describe("addresses", () => {
  const good = {
    "127.0.0.1": "127.0.0.1",
    "0.0.0.0": "0.0.0.0",
    "::": "::",
    "[::1]": "::1",
    localhost: "localhost",
    "pi.local": "pi.local",
  };
  for (const [address, read_] of Object.entries(good)) test(`${address} is one`, () => expect(read({ address }).address).toBe(read_));
  for (const address of ["", "1.2.3", "256.0.0.1", "a b", "http://x", "127.0.0.1:80", "-x", "a..b", ":::"]) {
    test(`${JSON.stringify(address)} is none`, () => expect(problems({ address })).toHaveLength(1));
  }
});

test("a grace of up to a day is taken", () => {
  expect(read({ grace: "24h" }).graceMs).toBe(86_400_000);
  expect(read({ grace: "0" }).graceMs).toBe(0);
  expect(problems({ grace: "25h" })).toEqual(['Cannot use --grace "25h": it is longer than a day']);
});

test("a variable that is like one of ours but for a slip is told", () => {
  const outcome = readServeSettings(
    "serve",
    {},
    { UROCKET_PROT: "80", UROCKET_APP_DATA: "/x", UROCKET_SOCKET: "/y", OTHER: "1", UROCKET_PORT: "81" },
    machine,
  );
  expect(outcome).toMatchObject({ ok: true, settings: { port: 81 } });
  expect(outcome.ok && outcome.warnings).toEqual([
    { message: "UROCKET_PROT is not a setting and is ignored", hint: "Did you mean UROCKET_PORT?" },
  ]);
});

test("which requests are logged is all of them or those that failed", () => {
  expect(read({ requests: "failed" }).requests).toBe("failed");
  expect(read({}, { UROCKET_REQUESTS: "failed" }).requests).toBe("failed");
  expect(problems({ requests: "some" })).toEqual(['Cannot use --requests "some": it does not say which requests']);
});

describe("containers", () => {
  test("take the place of what service files say, or not", () => {
    expect(read({ sandbox: "container" }).sandbox).toBe("container");
    expect(read({}, { UROCKET_SANDBOX: "process" }).sandbox).toBe("process");
    expect("sandbox" in read({}, { UROCKET_SANDBOX: "" })).toBe(false);
    expect(problems({ sandbox: "docker" })).toEqual(['Cannot use --sandbox "docker": it is no sandbox']);
  });

  test("are joined by a bridge of any name that an interface and a table may have", () => {
    expect(read({ bridge: "apps-1" }).network.bridge).toBe("apps-1");
    for (const bridge of ["", "0br", "a b", "a/b", "x".repeat(16), "."]) {
      expect(problems({ bridge })).toEqual([`Cannot use --bridge ${JSON.stringify(bridge)}: it is not a name of a bridge`]);
    }
  });

  test("have subnets of a size that makes sense, where no other network is", () => {
    const { network } = read({ subnet: "172.20.0.0/24" }, { UROCKET_SUBNET6: "fd00:1::/48" });
    expect(network).toEqual({ bridge: "urocket0", subnet: "172.20.0.0/24", subnet6: "fd00:1::/48" });
    const bad: readonly (readonly [string, string])[] = [
      ["", "it is not a block of addresses"],
      ["10.0.0.1", "it is not a block of addresses"],
      ["10.0.0.0/33", "it has more than 32 bits"],
      ["fd00::/64", "it is not of IPv4"],
      ["10.0.0.0/7", "its size is not from /8 to /24"],
      ["10.0.0.1/16", "it does not start at its first address"],
      ["10.5.0.0/16 ", "it is not a block of addresses"],
      ["10.5.0.128/25", "its size is not from /8 to /24"],
      ["127.0.0.0/16", "no network can have these addresses"],
      ["224.0.0.0/8", "no network can have these addresses"],
    ];
    for (const [subnet, why] of bad) {
      expect(problems({ subnet })).toEqual([`Cannot use --subnet ${JSON.stringify(subnet)}: ${why}`]);
    }
    expect(problems({ subnet6: "fe80::/64" })).toEqual(['Cannot use --subnet6 "fe80::/64": no network can have these addresses']);
    expect(readServeSettings("serve", { subnet: "10.201.3.7/16" }, {}, machine)).toMatchObject({
      problems: [{ hint: "Write 10.201.0.0/16" }],
    });
    expect(readServeSettings("serve", { subnet6: "fd00::5/64" }, {}, machine)).toMatchObject({ problems: [{ hint: "Write fd00::/64" }] });
  });

  test("with the addresses of others come with a warning", () => {
    const outcome = readServeSettings("serve", { subnet: "8.8.0.0/16", subnet6: "2001:db8::/64" }, {}, machine);
    expect(outcome.ok && outcome.warnings.map(({ message }) => message)).toEqual([
      '--subnet "8.8.0.0/16": it is not private: what these addresses are elsewhere is not reached from here',
      '--subnet6 "2001:db8::/64": it is not private: what these addresses are elsewhere is not reached from here',
    ]);
  });
});

test("proxies are trusted that are listed, as addresses or blocks of them", () => {
  expect(read({ trustedProxies: "127.0.0.1, ::1,10.0.0.0/8," }).trustedProxies).toEqual(["127.0.0.1", "::1", "10.0.0.0/8"]);
  expect(read({}, { UROCKET_TRUSTED_PROXIES: "fd00::/8" }).trustedProxies).toEqual(["fd00::/8"]);
  expect(read({ trustedProxies: "" }, { UROCKET_TRUSTED_PROXIES: "::1" }).trustedProxies).toEqual([]);
  expect(problems({ trustedProxies: "proxy.local" })).toEqual([
    'Cannot use --trusted-proxies "proxy.local": "proxy.local" is neither an address nor a block of addresses',
  ]);
  expect(readServeSettings("serve", {}, { UROCKET_TRUSTED_PROXIES: "10.1.2.3/8" }, machine)).toMatchObject({
    problems: [
      {
        message: 'Cannot use UROCKET_TRUSTED_PROXIES "10.1.2.3/8": "10.1.2.3/8" does not start at its first address',
        hint: "Write 10.0.0.0/8",
      },
    ],
  });
  const anybody = readServeSettings("serve", { trustedProxies: "0.0.0.0/0" }, {}, machine);
  expect(anybody.ok && anybody.warnings.map(({ message }) => message)).toEqual([
    '--trusted-proxies "0.0.0.0/0": with 0.0.0.0/0 every client may say from where it comes, and by which name and protocol it asks',
  ]);
});

test("data is in the folder that is named, else where the user's data is", () => {
  expect(read({ data: "mine" }, { UROCKET_DATA: "/x" }).dataFolder).toBe(`${process.cwd()}/mine`);
  expect(read({}, { UROCKET_DATA: "/x" }).dataFolder).toBe("/x");
  expect(read({}, { XDG_DATA_HOME: "/y" }).dataFolder).toBe("/var/lib/urocket");
  const ada = { ...machine, uid: 1000, home: "/home/ada" };
  const folderOf = (environment: Environment) => {
    const outcome = readServeSettings("serve", {}, environment, ada);
    return outcome.ok && outcome.settings.dataFolder;
  };
  expect(folderOf({ XDG_DATA_HOME: "/y" })).toBe("/y/urocket");
  expect(folderOf({ XDG_DATA_HOME: "relative" })).toBe("/home/ada/.local/share/urocket");
  expect(folderOf({})).toBe("/home/ada/.local/share/urocket");
  expect(problems({ data: " " })).toEqual(['Cannot use --data " ": it is empty']);
});

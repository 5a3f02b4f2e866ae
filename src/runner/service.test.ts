import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { groupName } from "../sandbox/group-names.ts";
import { limitGroups, makeGroups, removeInstanceGroups } from "../sandbox/instance-groups.ts";
import { processState } from "../sandbox/process-figures.ts";
import { requireRoot } from "../../tests/system-tools.ts";
import { helloDaemon, ServiceTrial } from "./service-trial.ts";

/** Whoever has ended and was not yet asked after is not. */
const isAlive = (pid: number): boolean => !["Z", "X", undefined].includes(processState(pid));

/** The number in the line that begins so. */
const numberIn = (service: ServiceTrial, begin: string): number =>
  Number(service.lines.find((line) => line.startsWith(begin))?.slice(begin.length));

describe("a daemon that is brought up", () => {
  test("makes its instance loaded when its health path answers, which says where it listens", async () => {
    await using service = await ServiceTrial.open({});
    const port = await service.port;
    expect(port).toBeGreaterThanOrEqual(10_240);
    expect(await service.get("/users")).toBe("/users");
    expect(service.logs[0]).toMatchObject({ operation: "service", stream: "stdout", text: `listening on ${port}` });
  });

  test("is told where to listen by its environment and its arguments, and nothing of the runner's", async () => {
    const script = `
      console.log(JSON.stringify({ argv: process.argv.slice(2), env: process.env }));
      ${helloDaemon}`;
    const argv = [process.execPath, "daemon.ts", "--listen={{host}}:{{port}}"] as const;
    await using service = await ServiceTrial.open({ script, spec: { argv, env: [["GREETING", "hello"]] } });
    const port = await service.port;
    expect(JSON.parse(service.lines[0] ?? "")).toEqual({
      argv: [`--listen=127.0.0.1:${port}`],
      env: { PATH: "/usr/bin:/bin", GREETING: "hello", HOST: "127.0.0.1", PORT: `${port}`, UROCKET_INSTANCE: service.instance },
    });
  });

  test("has a session of its own, and nothing on its stdin", async () => {
    const script = `
      console.log("session " + require("node:fs").readFileSync("/proc/self/stat", "latin1").split(") ")[1].split(" ")[3]);
      console.log("pid " + process.pid);
      console.log("stdin " + require("node:fs").readFileSync(0).length);
      ${helloDaemon}`;
    await using service = await ServiceTrial.open({ script });
    expect(numberIn(service, "session ")).toBe(numberIn(service, "pid "));
    expect(numberIn(service, "stdin ")).toBe(0);
  });

  test("may open its stdout and stderr again, by their names in /dev", async () => {
    const command = `echo "by its name" > /dev/stdout; echo "an error" > /dev/stderr; exec ${process.execPath} daemon.ts`;
    await using service = await ServiceTrial.open({ spec: { argv: ["sh", "-c", command] } });
    await service.trial.until(() => service.lines.length >= 3);
    expect(service.logs).toContainEqual(expect.objectContaining({ stream: "stdout", text: "by its name" }));
    expect(service.logs).toContainEqual(expect.objectContaining({ stream: "stderr", text: "an error" }));
  });

  test("is ready without a health path when its port takes connections", async () => {
    const argv = ["python3", "-m", "http.server", "--bind", "{{host}}", "{{port}}"] as const;
    const health = { everyMs: 60_000, timeoutMs: 2000, failuresMax: 3 };
    await using service = await ServiceTrial.open({ spec: { argv, health } });
    expect(await service.get("/")).toContain("daemon.ts");
  });

  test("is waited for while its health path says that it is not ready", async () => {
    const script = `
      let asked = 0;
      Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response("", { status: ++asked > 3 ? 200 : 503 }) });`;
    await using service = await ServiceTrial.open({ script });
    expect(await service.port).toBeGreaterThan(0);
  });

  test("gets another port when its own was taken in between", async () => {
    const script = `
      const { appendFileSync, readFileSync } = require("node:fs");
      appendFileSync("ports", process.env.PORT + "\\n");
      if (readFileSync("ports", "utf8").split("\\n").length < 4) throw new Error("listen EADDRINUSE: address already in use");
      ${helloDaemon}`;
    await using service = await ServiceTrial.open({ script });
    const ports = readFileSync(join(service.folder, "ports"), "utf8").trim().split("\n");
    expect(ports).toHaveLength(3);
    expect(Number(ports[2])).toBe(await service.port);
  });

  test("stands beside programs and functions of the same instance", async () => {
    await using service = await ServiceTrial.open({
      functions: "export const hello = () => ({ pid: process.pid });",
      load: {
        programs: {
          "GET /program": {
            argv: [
              "sh",
              "-c",
              'printf "POST $UROCKET_REPLY HTTP/1.1\\r\\nHost: a\\r\\nContent-Length: 2\\r\\n\\r\\nok" | nc -U -N "$UROCKET_SOCKET"',
            ],
            wd: "/",
            env: [],
            channel: "stdin",
            replyPath: "/uri/{req_id}",
          },
        },
      },
    });
    expect(existsSync(join(service.folder, "reply.sock"))).toBe(true);
    expect((await service.trial.answer(0)).json).toEqual({ pid: service.trial.pid });
    expect(await service.get("/daemon")).toBe("/daemon");
  });
});

describe("a daemon that does not come up", () => {
  const failure = async (options: Parameters<typeof ServiceTrial.start>[0]): Promise<string> => {
    const { service, loaded } = await ServiceTrial.start(options);
    await service[Symbol.asyncDispose]();
    return loaded.ok ? "it is loaded" : loaded.message;
  };
  const sleeper = "console.error('waiting'); setInterval(() => {}, 1000);";

  test("because it has no program is told that", async () => {
    expect(await failure({ spec: { argv: ["no-such-daemon", "--fast"] } })).toBe(
      'cannot start its service "no-such-daemon --fast": it was not found (ENOENT): there is no such program in PATH (/usr/bin:/bin)',
    );
    expect(await failure({ spec: { wd: "/no/such/folder" } })).toContain(
      'its working directory cannot be used: "/no/such/folder" does not exist',
    );
  });

  test("because it exits is told so, with its last words", async () => {
    const argv = ["sh", "-c", "echo starting; echo 'no database' >&2; exit 3"] as const;
    expect(await failure({ spec: { argv } })).toBe(
      `cannot bring up its service "${argv.join(" ")}": it exited with status 3 before it was ready; its last words: no database`,
    );
  });

  test("because a signal ended it is told which", async () => {
    expect(await failure({ spec: { argv: ["sh", "-c", "kill -SEGV $$"] } })).toContain("it was killed by SIGSEGV before it was ready");
  });

  test("because it puts itself into the background is told to stay", async () => {
    const message = await failure({ spec: { argv: ["sh", "-c", "sleep 60 & exit 0"] } });
    expect(message).toMatch(/it exited with status 0, leaving process \d+ in the background \(have it stay in the foreground\), before/);
    expect(isAlive(Number(/process (\d+)/.exec(message)?.[1]))).toBe(false);
  });

  test("in its time is told what the last look found", async () => {
    const message = await failure({ script: sleeper, spec: { startTimeoutMs: 300 } });
    expect(message).toMatch(
      /^cannot bring up its service ".*" within 300ms: nothing listens on 127\.0\.0\.1:\d+; have it listen on \$HOST:\$PORT; its last words: waiting$/,
    );
    const answers = "Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response('', { status: 503 }) });";
    expect(await failure({ script: answers, spec: { startTimeoutMs: 2000 } })).toContain("within 2s: GET /health answered 503");
  });

  test("where others reach it is told where it listens instead", async () => {
    const elsewhere = (hostname: string, port: string): string =>
      `Bun.listen({ hostname: ${JSON.stringify(hostname)}, port: ${port}, socket: { data() {} } });`;
    expect(await failure({ script: elsewhere("127.0.0.1", "0"), spec: { startTimeoutMs: 2000 } })).toMatch(
      /; it listens on 127\.0\.0\.1:\d+, and its PORT is \d+: have it listen on \$PORT; a daemon with a port of its own needs sandbox: container$/,
    );
    // As in a container whose address is not the loopback's.
    const spec = { startTimeoutMs: 2000, host: "0.0.0.0", reach: "127.0.0.2", port: 20_201 };
    expect(await failure({ script: elsewhere("127.0.0.1", "process.env.PORT"), spec })).toEndWith(
      "; it listens on 127.0.0.1:20201, and not where others reach it: have it listen on $HOST:$PORT (0.0.0.0:20201)",
    );
  });

  test("is told early where it listens instead, in the log", async () => {
    const script = "Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });";
    const { service } = await ServiceTrial.begin({ script });
    await service.trial.until(() => service.logs.some(({ level }) => level === "warn"));
    expect(service.lines.at(-1)).toMatch(/^The service is not ready: it listens on 127\.0\.0\.1:\d+, and its PORT is \d+/);
    await service[Symbol.asyncDispose]();
  });

  test("because every port is taken in between is started three times, and told so", async () => {
    const argv = ["sh", "-c", "echo once >> starts; echo 'Address already in use' >&2; exit 1"] as const;
    const { service, loaded } = await ServiceTrial.start({ spec: { argv } });
    expect(loaded).toMatchObject({ ok: false, message: expect.stringContaining("Address already in use") });
    expect(readFileSync(join(service.folder, "starts"), "utf8")).toBe("once\nonce\nonce\n");
    await service[Symbol.asyncDispose]();
  });

  test("is ended with what it started, and so is one that is still coming up when its host leaves", async () => {
    const script =
      "console.log('child ' + Bun.spawn(['sleep', '60']).pid); console.log('pid ' + process.pid); setInterval(() => {}, 1000);";
    const { service } = await ServiceTrial.begin({ script });
    await service.trial.until(() => service.lines.length === 2);
    const pids = [numberIn(service, "child "), numberIn(service, "pid ")];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await service[Symbol.asyncDispose]();
    expect(pids.map(isAlive)).toEqual([false, false]);
  });
});

describe("a daemon that serves", () => {
  /** Well while a file says so. */
  const moody = `
    const { existsSync } = require("node:fs");
    Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => new Response("", { status: existsSync("ill") ? 500 : 200 }) });`;

  test("is looked at, and each change is told", async () => {
    const health = { path: "/health", everyMs: 5, timeoutMs: 2000, failuresMax: 3 };
    await using service = await ServiceTrial.open({ script: moody, spec: { health } });
    const heard = service.trial.health;
    await Bun.write(join(service.folder, "ill"), "");
    await service.trial.until(() => heard.length === 1);
    await Bun.file(join(service.folder, "ill")).delete();
    await service.trial.until(() => heard.length === 2);
    expect(heard).toEqual([{ state: "failing", detail: "GET /health answered 500" }, { state: "well" }]);
  });

  test("and does not answer in time is failing, too", async () => {
    const script = `
      const { existsSync } = require("node:fs");
      Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: () => existsSync("mute") ? new Promise(() => {}) : new Response() });`;
    const health = { path: "/health", everyMs: 5, timeoutMs: 500, failuresMax: 2 };
    await using service = await ServiceTrial.open({ script, spec: { health } });
    await Bun.write(join(service.folder, "mute"), "");
    await service.trial.until(() => service.trial.health.length === 1);
    expect(service.trial.health).toEqual([{ state: "failing", detail: "GET /health got no answer within 500ms" }]);
  });

  test("and is doubted has to say something, where it is looked at by its connections alone", async () => {
    const script = `${helloDaemon} console.log("pid " + process.pid);`;
    const health = { everyMs: 60_000, timeoutMs: 1000, failuresMax: 2 };
    await using service = await ServiceTrial.open({ script, spec: { health } });
    await service.trial.until(() => service.lines.some((line) => line.startsWith("pid ")));
    const heard = service.trial.health;
    const daemon = numberIn(service, "pid ");
    const doubt = (): void => service.trial.channel.send("doubt", 0);
    doubt();
    expect(await service.get("/alive")).toBe("/alive");
    expect(heard).toEqual([]);
    process.kill(daemon, "SIGSTOP");
    try {
      doubt();
      doubt();
      await service.trial.until(() => heard.length > 0);
    } finally {
      process.kill(daemon, "SIGCONT");
    }
    expect(heard).toEqual([{ state: "failing", detail: "OPTIONS * got no answer within 1s" }]);
  });

  test("and ends takes its instance with it: its end and last words are told, then the link is closed", async () => {
    const script = `${helloDaemon} console.log("pid " + process.pid); console.error("all is well");`;
    await using service = await ServiceTrial.open({ script });
    await service.trial.until(() => service.lines.includes("all is well"));
    process.kill(numberIn(service, "pid "), "SIGKILL");
    await service.trial.gone.promise;
    expect(service.trial.health).toEqual([{ state: "ended", detail: "was killed by SIGKILL", lastWords: "all is well" }]);
    expect(await service.trial.exited()).toBe(0);
  });

  test("and writes more than its host reads does not wait for it, and lines are dropped", async () => {
    const script = `
      const written = Promise.withResolvers();
      Bun.serve({ hostname: process.env.HOST, port: process.env.PORT, fetch: async ({ url }) => {
        if (url.endsWith("/written")) await written.promise;
        return new Response("here");
      } });
      const line = "x".repeat(1000) + "\\n";
      let lines = 0;
      const write = () => {
        while (lines++ < 20_000) if (!process.stdout.write(line)) return process.stdout.once("drain", write);
        console.error("all is written");
        written.resolve();
      };
      process.once("SIGUSR2", write);
      console.log("pid " + process.pid);`;
    await using service = await ServiceTrial.open({ script });
    await service.trial.until(() => service.lines.length > 0);
    process.kill(numberIn(service, "pid "), "SIGUSR2");
    // This process does not read its link meanwhile.
    const port = await service.port;
    expect(Bun.spawnSync(["curl", "-s", `http://127.0.0.1:${port}/written`]).stdout.toString()).toBe("here");
    await service.stop();
    const dropped = service.logs.flatMap(({ level, text }) =>
      level === "warn" ? (/^(\d+) lines of the service/.exec(text)?.[1] ?? []) : [],
    );
    expect(dropped.map(Number).reduce((sum, lines) => sum + lines, 0) + service.lines.length).toBeGreaterThan(20_000);
    expect(dropped).not.toEqual([]);
  });

  requireRoot("and reaches the memory limit of its instance is told to have", async () => {
    const instance = crypto.randomUUID();
    const groups = makeGroups(instance, "process");
    try {
      const limits = { memoryBytesMax: 96 * 1024 * 1024 };
      const { memorySlots, notHeld } = limitGroups(groups, limits, { programs: false, functions: false, service: true });
      expect(notHeld).toEqual([]);
      const script = `${helloDaemon} const kept = []; process.on("SIGUSR2", () => { for (;;) kept.push(Buffer.alloc(1 << 20, 1)); }); console.log("pid " + process.pid);`;
      await using service = await ServiceTrial.open({ script, load: memorySlots === undefined ? {} : { memorySlots } });
      await service.trial.until(() => service.lines.some((line) => line.startsWith("pid ")));
      process.kill(numberIn(service, "pid "), "SIGUSR2");
      await service.trial.gone.promise;
      expect(service.trial.health).toMatchObject([{ state: "ended", detail: "was killed", limit: "memory" }]);
    } finally {
      removeInstanceGroups(groups);
    }
  });
});

describe("a daemon whose instance ends", () => {
  test("gets TERM, and its last lines are told before the link is closed", async () => {
    await using service = await ServiceTrial.open({});
    await service.stop();
    expect(service.lines.at(-1)).toBe("leaving");
    expect(await service.trial.exited()).toBe(0);
  });

  test("hears TERM when it is stopped, too", async () => {
    await using service = await ServiceTrial.open({ script: `${helloDaemon} console.log("pid " + process.pid);` });
    await service.trial.until(() => service.lines.some((line) => line.startsWith("pid ")));
    process.kill(numberIn(service, "pid "), "SIGSTOP");
    await service.stop();
    expect(service.lines.at(-1)).toBe("leaving");
  });

  test("gets TERM when the link is gone, too", async () => {
    const script = `${helloDaemon} process.prependListener("SIGTERM", () => require("node:fs").writeFileSync("left", "yes"));`;
    await using service = await ServiceTrial.open({ script });
    service.trial.channel.terminate("the host is gone");
    expect(await service.trial.exited()).toBe(0);
    expect(readFileSync(join(service.folder, "left"), "utf8")).toBe("yes");
  });

  test("goes on while it is drained, until it is told to stop", async () => {
    await using service = await ServiceTrial.open({});
    service.trial.channel.send("drain", 0);
    await service.trial.ping();
    expect(await service.get("/while")).toBe("/while");
    await service.stop();
    expect(service.lines.at(-1)).toBe("leaving");
  });

  test("and does not heed TERM is killed after its grace, with all that it started", async () => {
    const script = `
      ${helloDaemon.replace(/process\.on.*/, "")}
      process.on("SIGTERM", () => console.log("never"));
      const far = "setsid sh -c 'trap : TERM; echo far $$; while :; do sleep 1; done' &";
      Bun.spawn(["sh", "-c", far], { stdio: ["ignore", "inherit", "inherit"] });
      console.log("pid " + process.pid);`;
    await using service = await ServiceTrial.open({ script, spec: { graceMs: 100 } });
    await service.trial.until(() => service.lines.length === 3);
    const pids = [numberIn(service, "far "), numberIn(service, "pid ")];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await service.stop();
    expect(service.lines.slice(-2)).toEqual(["never", "The service had not exited 100ms after TERM and was killed: have it exit on TERM"]);
    expect(pids.map(isAlive)).toEqual([false, false]);
  });

  test("and leaves something behind that does not heed TERM is told of that", async () => {
    const script = `${helloDaemon}
      Bun.spawn(["sh", "-c", "trap : TERM; echo deaf; while :; do sleep 1; done"], { stdio: ["ignore", "inherit", "inherit"] });`;
    await using service = await ServiceTrial.open({ script, spec: { graceMs: 100 } });
    await service.trial.until(() => service.lines.includes("deaf"));
    await service.stop();
    const words = "What the service had started was still there 100ms after TERM and was killed: have the service end it on TERM";
    expect(service.logs.at(-1)).toMatchObject({ text: words, level: "warn" });
  });

  test("gets TERM from its runner that got TERM, in a container", async () => {
    // Its name is of a host that lives: hosts of other tests end what is left of those that do not.
    await using service = await ServiceTrial.open({ environment: { UROCKET_CONTAINER: groupName("a") } });
    process.kill(service.trial.pid, "SIGTERM");
    await service.trial.gone.promise;
    expect(service.lines.at(-1)).toBe("leaving");
  });

  test("elsewhere the runner's TERM is not meant for it", async () => {
    await using service = await ServiceTrial.open({});
    process.kill(service.trial.pid, "SIGTERM");
    await service.trial.ping();
    expect(await service.get("/still")).toBe("/still");
  });
});

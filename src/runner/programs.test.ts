/** What programs do, and what becomes of it: real programs, pipes and sockets, a host that only listens. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { ownPeakBytes } from "../sandbox/process-figures.ts";
import { eventually } from "../../tests/eventually.ts";
import { argumentBytesMax } from "../core/program-arguments.ts";
import { HeardExchange, RunnerTrial } from "./runner-trial.ts";

const post = (query = "", options = "") =>
  `curl -sS -o /dev/stderr -w '%{http_code}\\n' ${options} --unix-socket "$UROCKET_SOCKET" --data-binary @- "http://localhost$UROCKET_REPLY${query}"`;

let trial: RunnerTrial;
beforeAll(async () => {
  trial = await RunnerTrial.open({
    programs: {
      echo: `cat | ${post("", "-H 'Content-Type: text/x-echo'")}`,
      "echo argument": { argv: ["sh", "-c", `printf %s "$1" | ${post()}`, "sh"], channel: "cmdline" },
      "echo placeholder": { argv: ["sh", "-c", `printf %s "$1" | ${post()}`, "sh", "--data={{jsonpayload}}!"], channel: "cmdline" },
      environment: `env | ${post()}`,
      twice: `echo 1 | ${post()} >&2; echo 2 | ${post()} >&2`,
      "wrong id": `echo 1 | curl -sS --unix-socket "$UROCKET_SOCKET" -w '\\n%{http_code}\\n' --data-binary @- http://localhost/uri/nobody >&2; echo 2 | ${post()}`,
      "bad status": `for s in 999 abc 101; do echo no | ${post("?status=$s")} >&2; done; echo yes | ${post("?status=201")}`,
      "bad status only": `echo no | ${post("?status=999")}`,
      never: "exit 3",
      "killed itself": "kill -SEGV $$",
      large: `head -c 100000000 /dev/zero | ${post()}`,
      "no reader": `exec <&-; echo ok | ${post()}`,
      "exits unread": `echo ok | ${post()}`,
      flood: `i=0; while [ $i -lt 2000 ]; do echo "$i ${"x".repeat(200)}" >&2; i=$((i+1)); done; echo ok | ${post()}`,
      stdout: `echo out; echo err >&2; echo dev > /dev/stderr; echo ok | ${post()} > /dev/null`,
      "not found": { argv: ["no-such-program"] },
      "no such file": { argv: ["./no-such-file"] },
      "not executable": { argv: ["./plain.txt"] },
      "no shebang": { argv: ["./nonsense"] },
      "no interpreter": { argv: ["./orphan"] },
      "no folder": { argv: ["true"], wd: "/no/such/folder" },
      hang: `sleep 1000 & setsid sleep 1000 & (setsid sh -c 'sleep 1000; true' &) ; trap '' TERM; echo started >&2; while :; do sleep 1000; done`,
      "leaves one": `sleep 1000 & echo ok | ${post()}`,
      aborts: `printf 'POST %s HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 100\\r\\n\\r\\nhalf' "$UROCKET_REPLY" | nc -N -U "$UROCKET_SOCKET" >&2`,
      "half-closes": `printf 'POST %s HTTP/1.1\\r\\nHost: h\\r\\nContent-Length: 4\\r\\n\\r\\nwhole' "$UROCKET_REPLY" | head -c -1 | nc -N -U "$UROCKET_SOCKET" >&2`,
      true: { argv: ["true"] },
      late: `read -r line; echo late | ${post()} >&2`,
    },
  });
  trial.file("plain.txt", "text", 0o644);
  trial.file("nonsense", "echo this has no first line of its own\n");
  trial.file("orphan", "#!/no/such/interpreter\n");
});
afterAll(() => trial[Symbol.asyncDispose]());

/** Whether a process carries the exchange's id in its environment. */
function livesOn(id: string): boolean {
  return readdirSync("/proc").some((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      return readFileSync(`/proc/${name}/environ`, "latin1").includes(id);
    } catch {
      return false;
    }
  });
}

/** Waits for a line of output: programs say where they are. */
async function line(heard: HeardExchange, text: string): Promise<void> {
  while (!heard.lines.some((each) => each.text.includes(text))) await new Promise((resolve) => setImmediate(resolve));
}

describe("a program that replies", () => {
  test("gets its payload on stdin, and its reply and type reach the host", async () => {
    const heard = trial.send("echo", {}, '{"a":1}');
    const receipt = await heard.over.promise;
    expect(heard.body).toBe('{"a":1}');
    expect(heard.head).toMatchObject({ status: 200, headers: [["content-type", "text/x-echo"]] });
    expect(heard.lines.map((each) => each.text)).toEqual([]);
    expect(receipt).toMatchObject({ exitCode: 0, endedBy: "itself", outputBytesDropped: 0 });
    expect(receipt.cpuUserMs + receipt.cpuSystemMs).toBeGreaterThan(0);
    expect(receipt.memoryPeakBytes).toBeGreaterThan(0);
    expect(receipt.totalMs).toBeGreaterThanOrEqual(receipt.runMs);
  });

  test("gets its payload as its last argument, or where the placeholder is", async () => {
    const last = trial.send("echo argument", {}, '{"a":"é $x `y`"}');
    const inside = trial.send("echo placeholder", {}, "{}");
    await Promise.all([last.over.promise, inside.over.promise]);
    expect(last.body).toBe('{"a":"é $x `y`"}');
    expect(inside.body).toBe("--data={}!");
  });

  test("gets the environment that is documented, and nothing of the host's", async () => {
    const request = {
      path: "/pets/7%20",
      query: "a=b&c",
      method: "PUT",
      contentType: "application/json",
      contentLength: 2,
      parameters: { petId: "7 ", "x-y.z": "q" },
      deadline: Date.now() + 20_000,
      traceparent: "00-1-2-01",
      tracestate: "v=1",
    };
    const heard = trial.send("environment", request);
    await heard.over.promise;
    const environment = Object.fromEntries(
      heard.body.split("\n").map((each) => [each.slice(0, each.indexOf("=")), each.slice(each.indexOf("=") + 1)]),
    );
    expect(environment).toMatchObject({
      URIPATH: "/pets/7%20",
      QUERY_STRING: "a=b&c",
      REQUEST_METHOD: "PUT",
      REQUEST_ID: heard.id,
      CONTENT_TYPE: "application/json",
      CONTENT_LENGTH: "2",
      UROCKET_SOCKET: trial.socket,
      UROCKET_REPLY: `/uri/${heard.id}`,
      UROCKET_INSTANCE: trial.load.instance,
      UROCKET_DEADLINE_MS: `${request.deadline}`,
      UROCKET_PARAM_PETID: "7 ",
      UROCKET_PARAM_X_Y_Z: "q",
      TRACEPARENT: "00-1-2-01",
      TRACESTATE: "v=1",
    });
    expect(Object.keys(environment)).not.toContain("HOME");
  });

  test("twice is told the second time that it has answered already", async () => {
    const heard = trial.send("twice");
    await heard.over.promise;
    expect(heard.body).toBe("1\n");
    expect(heard.lines.map((each) => each.text)).toEqual(["200", '{"status":409,"message":"This request was answered already"}409']);
  });

  test("with a wrong id is told so, and may do better", async () => {
    const heard = trial.send("wrong id");
    await heard.over.promise;
    expect(heard.lines.map((each) => each.text)).toContain("404");
    expect(heard.body).toBe("2\n");
  });

  test("with a status that is none is told why, and may do better", async () => {
    const heard = trial.send("bad status");
    await heard.over.promise;
    const refusals = heard.lines.filter((each) => each.text.endsWith("400"));
    expect(refusals.length).toBe(3);
    expect(refusals[0]?.text).toContain('status \\"999\\" is not a number from 200 to 599');
    expect(heard.head?.status).toBe(201);
    expect(heard.body).toBe("yes\n");
  });

  test("with 100 MB streams them", async () => {
    const heard = new HeardExchange(crypto.randomUUID());
    heard.keepsBody = false;
    trial.send("large", {}, "", heard);
    await heard.over.promise;
    expect(heard.bodyBytes).toBe(100_000_000);
  });

  test("waits while the host has no room, and goes on when it has", async () => {
    const heard = new HeardExchange(crypto.randomUUID());
    heard.keepsBody = false;
    heard.room = false;
    trial.send("large", {}, "", heard);
    while (heard.head === undefined) await new Promise((resolve) => setImmediate(resolve));
    const before = heard.bodyBytes;
    for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(heard.bodyBytes).toBe(before);
    heard.room = true;
    heard.exchange?.writable();
    await heard.over.promise;
    expect(heard.bodyBytes).toBe(100_000_000);
  });

  test("and half-closes its connection is heard", async () => {
    const heard = trial.send("half-closes");
    await heard.over.promise;
    expect(heard.body).toBe("whol");
    expect(heard.lines[0]?.text).toBe("HTTP/1.1 200 OK");
  });

  test("waits for the verdict, and is told the reasons of a refusal", async () => {
    const heard = trial.send("echo", { awaitVerdict: true }, "bad");
    await heard.replied.promise;
    heard.exchange?.verdict(422, Buffer.from('{"title":"refused"}'));
    await heard.over.promise;
    expect(heard.lines.map((each) => each.text)).toEqual(['{"title":"refused"}']);
  });
});

describe("a program that does not", () => {
  test("is told on, with its status", async () => {
    const heard = trial.send("never");
    expect(await heard.over.promise).toMatchObject({ exitCode: 3, endedBy: "itself" });
    expect(heard.resetHead).toEqual({
      reason: "no-reply",
      detail: "The program of never exited with status 3 without replying",
      badExit: true,
    });
  });

  test("or with the signal that killed it", async () => {
    const heard = trial.send("killed itself");
    expect(await heard.over.promise).toMatchObject({ signal: "SIGSEGV", endedBy: "kernel" });
    expect(heard.resetHead?.detail).toBe("The program of killed itself was killed by SIGSEGV without replying");
  });

  test("or with the limit that the kernel killed it for, or something of its tree: told once, and never of the next one's", async () => {
    const limit = 24 * 1024 * 1024;
    const take = `x=$(head -c 60000000 /dev/zero | tr '\\0' x)`;
    await using limited = await RunnerTrial.open({
      memoryBytesMax: limit,
      programs: { hog: take, parent: `(${take}); exit 4`, fine: "exit 5" },
    });
    if (limited.load.memorySlots === undefined) return expect(process.getuid?.()).not.toBe(0);
    const hog = limited.send("hog");
    expect(await hog.over.promise).toMatchObject({ limit: "memory", signal: "SIGKILL" });
    expect(hog.resetHead).toMatchObject({ detail: "The program of hog was killed without replying", limit: "memory", badExit: true });
    const parent = limited.send("parent");
    expect(await parent.over.promise).toMatchObject({ limit: "memory", exitCode: 4 });
    const fine = limited.send("fine");
    expect((await fine.over.promise).limit).toBeUndefined();
    expect(fine.resetHead?.limit).toBeUndefined();
  });

  test("where no kernel holds its memory limit the runner ends it, with all it started", async () => {
    await using watched = await RunnerTrial.open({
      slots: false,
      programs: { hog: `sh -c 'x=$(head -c 60000000 /dev/zero | tr "\\0" x); while :; do sleep 1; done'; exit 6` },
      load: { memoryWatchedBytesMax: 24 * 1024 * 1024 },
    });
    const hog = watched.send("hog");
    expect(await hog.over.promise).toMatchObject({ limit: "memory" });
    expect(hog.resetHead).toMatchObject({ reason: "no-reply", limit: "memory" });
  });

  test("or with why its replies were refused", async () => {
    const heard = trial.send("bad status only");
    await heard.over.promise;
    expect(heard.resetHead?.reason).toBe("bad-reply");
    expect(heard.resetHead?.detail).toContain('status "999" is not');
  });

  test("or that it broke off", async () => {
    const heard = trial.send("aborts");
    await heard.over.promise;
    expect(heard.body).toBe("half");
    expect(heard.resetHead?.reason).toBe("reply-aborted");
  });

  test("and comes too late is told so", async () => {
    const heard = trial.send("late");
    const path = `/uri/${heard.id}`;
    heard.exchange?.cancel("client-left");
    await heard.over.promise;
    const answer = await fetch(`http://localhost${path}`, { method: "POST", body: "late", unix: trial.socket });
    expect(answer.status).toBe(410);
    expect(await answer.json()).toEqual({ status: 410, message: "This request is over: the client has left" });
  });
});

describe("a program that cannot be started", () => {
  const failures: [string, string, string][] = [
    ["not found", 'Cannot start "no-such-program" for not found: it was not found (ENOENT)', "there is no such program in PATH"],
    ["no such file", "it was not found (ENOENT)", 'no-such-file" does not exist'],
    ["not executable", "it may not be executed (EACCES)", "run chmod +x"],
    ["no shebang", "neither a binary of this machine nor a script whose first line is #!", "see "],
    ["no interpreter", "it was not found (ENOENT)", 'the interpreter "/no/such/interpreter" that its first line names does not exist'],
    ["no folder", "its working directory cannot be used", '"/no/such/folder" does not exist'],
  ];
  test.each(failures)("%s is told in words: short to the client, with paths and advice to the log", async (operation, words, advice) => {
    const heard = trial.send(operation);
    await heard.over.promise;
    expect(heard.resetHead?.reason).toBe("spawn-failed");
    expect(heard.resetHead?.detail).toContain(words);
    expect(heard.resetHead?.detail).not.toMatch(/"\/|=\//);
    expect(heard.resetHead?.advice).toContain(advice);
  });

  test("an operation that the instance does not have is told too", async () => {
    const heard = trial.send("nothing of the kind");
    await heard.over.promise;
    expect(heard.resetHead?.reason).toBe("spawn-failed");
  });
});

describe("a payload", () => {
  test("of 127 KiB fits into an argument, of 129 KiB does not", async () => {
    const fits = trial.send("echo argument", {}, "x".repeat(127 * 1024));
    await fits.over.promise;
    expect(fits.bodyBytes).toBe(127 * 1024);
    const large = trial.send("echo argument", {}, "x".repeat(129 * 1024));
    await large.over.promise;
    expect(large.resetHead?.reason).toBe("argument-too-large");
    expect(large.resetHead?.detail).toBe(
      `Cannot give "sh" its payload as an argument: 132096 bytes, the kernel takes ${argumentBytesMax}; use channel: stdin`,
    );
  });

  test("fits up to the last byte, with the placeholder's surroundings counted", async () => {
    const fits = trial.send("echo argument", {}, "x".repeat(argumentBytesMax));
    await fits.over.promise;
    expect(fits.bodyBytes).toBe(argumentBytesMax);
    const around = trial.send("echo placeholder", {}, "x".repeat(argumentBytesMax - 2));
    await around.over.promise;
    expect(around.resetHead?.reason).toBe("argument-too-large");
  });

  test("of several megabytes reaches stdin in pieces", async () => {
    const heard = new HeardExchange(crypto.randomUUID());
    heard.exchange = trial.runner.request({ ...blank("echo"), id: heard.id }, heard);
    const piece = Buffer.alloc(65_536, "p");
    for (let i = 0; i < 64; i++) heard.exchange?.payload(piece, false);
    heard.exchange?.payload(new Uint8Array(0), true);
    await heard.over.promise;
    expect(heard.bodyBytes).toBe(64 * 65_536);
    expect(heard.consumedBytes).toBe(64 * 65_536);
  });

  test.each(["no reader", "exits unread"])("may be ignored (%s)", async (operation) => {
    const heard = trial.send(operation, {}, "x".repeat(1_000_000));
    await heard.over.promise;
    expect(heard.body).toBe("ok\n");
    while (heard.consumedBytes < 1_000_000) await new Promise((resolve) => setImmediate(resolve));
  });

  test("with a NUL, or not in UTF-8, cannot be an argument, and neither can a parameter be in the environment", async () => {
    for (const payload of [Uint8Array.of(0xff, 0xfe), "a\0b"]) {
      const heard = trial.send("echo argument", {}, payload);
      await heard.over.promise;
      expect(heard.resetHead?.reason).toBe("bad-request");
    }
    const heard = trial.send("echo", { parameters: { id: "a\0b" } });
    await heard.over.promise;
    expect(heard.resetHead).toEqual({
      reason: "bad-request",
      detail: 'Cannot start a program with path parameter "id" in its environment: it holds a NUL byte',
    });
  });
});

describe("output", () => {
  test("of stderr is heard always, of stdout when it is asked for, and /dev/stderr can be opened", async () => {
    const without = trial.send("stdout");
    const withStdout = trial.send("stdout", { logStdout: true });
    await Promise.all([without.over.promise, withStdout.over.promise]);
    const texts = (heard: HeardExchange, stream: string) => heard.lines.filter((each) => each.stream === stream).map((each) => each.text);
    expect(texts(without, "stdout")).toEqual([]);
    expect(texts(without, "stderr")).toEqual(["err", "dev"]);
    expect(texts(withStdout, "stdout")).toEqual(["out"]);
  });

  test("in a flood is heard to the last line, however long the pipe is", async () => {
    const heard = trial.send("flood");
    await heard.over.promise;
    const numbers = heard.lines.map((each) => Number.parseInt(each.text, 10)).filter(Number.isInteger);
    expect(numbers).toEqual(Array.from({ length: 2000 }, (_, i) => i));
  });

  test("that nobody takes is counted and never stops the program", async () => {
    const heard = new HeardExchange(crypto.randomUUID());
    heard.takesLogs = false;
    trial.send("flood", {}, "", heard);
    const receipt = await heard.over.promise;
    expect(heard.body).toBe("ok\n");
    expect(receipt.outputBytesDropped).toBeGreaterThan(2000 * 200);
  });
});

describe("the end", () => {
  for (const slots of [true, false]) {
    test(`of a program that ignores TERM takes all its descendants with it ${slots ? "(control group)" : "(/proc)"}`, async () => {
      await using own = await RunnerTrial.open({ slots, programs: { hang: trial.load.programs["hang"] ?? {} } });
      const heard = own.send("hang");
      await line(heard, "started");
      heard.exchange?.cancel("deadline");
      expect(await heard.over.promise).toMatchObject({ endedBy: "deadline", signal: "SIGKILL" });
      expect(livesOn(heard.id)).toBe(false);
    });
  }

  test("of what outlives its program's reply is its deadline", async () => {
    const heard = trial.send("leaves one", { deadline: Date.now() + 1000 });
    expect(await heard.over.promise).toMatchObject({ endedBy: "leftover", exitCode: 0 });
    expect(heard.body).toBe("ok\n");
    expect(livesOn(heard.id)).toBe(false);
  });

  test("comes for exchanges that still wait, too, without a program", async () => {
    await using own = await RunnerTrial.open({ programs: { hang: "echo started >&2; exec sleep 1000" }, load: { programsMax: 1 } });
    const first = own.send("hang");
    const second = own.send("hang");
    second.exchange?.cancel("client-left");
    expect(await second.over.promise).toMatchObject({ endedBy: "client-left", spawnMs: 0 });
    await line(first, "started");
    await own.runner.endAll();
    expect(first.receiptHead).toMatchObject({ endedBy: "shutdown", signal: "SIGTERM" });
    expect(own.runner.exchangesOpen).toBe(0);
  });
});

describe("figures", () => {
  test("of a program that runs for a second are those of its whole tree", async () => {
    const heard = trial.send("hang");
    await line(heard, "started");
    expect(heard.exchange?.sample(performance.now() + 500)).toBeUndefined();
    const sample = heard.exchange?.sample(performance.now() + 2000);
    expect(sample).toMatchObject({ id: heard.id, operation: "hang" });
    expect(sample?.processes).toBeGreaterThanOrEqual(4);
    expect(sample?.residentBytes).toBeGreaterThan(0);
    heard.exchange?.cancel("client-left");
    expect((await heard.over.promise).endedBy).toBe("client-left");
  });

  test("of long-running programs are told while they run, and none when the last has ended", async () => {
    await using own = await RunnerTrial.open({ programs: { hang: "exec sleep 1000" } });
    const heard = own.send("hang");
    const sample = await eventually("a sample comes", () => own.samples[0]);
    expect(sample.programs).toEqual([expect.objectContaining({ id: heard.id, operation: "hang", processes: 1 })]);
    heard.exchange?.cancel("client-left");
    await heard.over.promise;
    await eventually("an empty sample comes", () => own.samples.at(-1)?.programs.length === 0);
  });

  test("of memory without a control group are a bound, or the program's own where it took more than the runner", async () => {
    const program = { argv: ["sh", "-c", "x=$(head -c $0 /dev/zero | tr '\\0' x); true", "{{jsonpayload}}"], channel: "cmdline" } as const;
    await using own = await RunnerTrial.open({ slots: false, programs: { take: program } });
    const small = own.send("take", {}, "10");
    expect(await small.over.promise).toMatchObject({ memorySource: "at-most" });
    const bytes = 1.2 * ownPeakBytes();
    const large = own.send("take", {}, `${Math.round(bytes)}`);
    const receipt = await large.over.promise;
    expect(receipt.memorySource).toBe("sampled");
    expect(receipt.memoryPeakBytes).toBeGreaterThan(bytes);
  });
});

test("2 000 programs leave no zombie, no descriptor and no exchange", async () => {
  await using own = await RunnerTrial.open({ programs: { true: { argv: ["true"] } }, load: { programsMax: 2 } });
  const state = () => ({ descriptors: readdirSync("/proc/self/fd").length, children: children().length, open: own.runner.exchangesOpen });
  const run = async (count: number) => {
    for (let started = 0; started < count; started += 20) {
      await Promise.all(Array.from({ length: 20 }, () => own.send("true").over.promise));
    }
  };
  await run(200);
  const before = state();
  await run(2000);
  expect(state()).toEqual(before);
}, 60_000);

function children(): string[] {
  return readFileSync(`/proc/self/task/${process.pid}/children`, "latin1").split(" ").filter(Boolean);
}

function blank(operation: string) {
  return {
    operation,
    method: "POST",
    path: "/",
    query: "",
    parameters: {},
    deadline: Date.now() + 30_000,
    logStdout: false,
    awaitVerdict: false,
  };
}

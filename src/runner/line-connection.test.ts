/** Lines of listeners' clients in a real runner process. */
import { describe, expect, test } from "bun:test";
import { windowBytes } from "../link/body.ts";
import { FunctionTrial, type HeardCall } from "./function-trial.ts";

const source = `
  import { HttpError } from "${import.meta.dir}/../sdk/http-error.ts";
  export const upper = (line) => line.toUpperCase();
  export const mixed = (line, ctx) => {
    if (line.startsWith("wait")) return new Promise((resolve) => setTimeout(() => resolve("waited for " + line), 5));
    if (line === "refuse") throw new HttpError(400, "not this one,\\n really");
    if (line === "throw") throw new Error("broken");
    if (line === "reject") return Promise.reject(new Error("broken later"));
    if (line === "several") return "one\\ntwo\\n";
    if (line === "nothing") return undefined;
    if (line === "number") return 55n;
    if (line === "bytes") return new TextEncoder().encode("ü");
    if (line === "object") return { a: 1 };
    if (line === "who") return [ctx.requestId, ctx.operation, ctx.client, ctx.deadline - Date.now() > 4000].join(" ");
    if (line === "print") { console.log("printed"); return ""; }
    return "<" + line + ">";
  };
  export const never = (line, { signal }) => new Promise(() => { signal.onabort = () => console.log("aborted:", signal.reason.name); });
  export const soon = async (line) => { await null; return line === "never" ? new Promise(() => {}) : line + "!"; };
  export const long = (line) => line.repeat(100_000);
`;
const options = { files: { "functions.ts": source }, calls: [], listeners: ["upper", "mixed", "never", "long", "soon"] };
const upper = { listener: 0 };
const mixed = { listener: 1 };
const never = { listener: 2 };
const long = { listener: 3 };
const soon = { listener: 4 };

async function whole(heard: HeardCall): Promise<string> {
  await heard.over.promise;
  return heard.text;
}

describe("lines", () => {
  test("are answered in order, those of one frame in one frame", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("a\nb\r\n\nü\n", true, upper);
    expect(await whole(heard)).toBe("A\nB\n\nÜ\n");
    expect(heard.chunks).toHaveLength(1);
  });

  test("are the same however they are cut into frames", async () => {
    await using trial = await FunctionTrial.open(options);
    const text = Buffer.from("eins\nzwö\r\n\ndrei\nlast");
    for (let cut = 0; cut <= text.length; cut++) {
      const heard = trial.connect("", false, upper);
      heard.outgoing.write(text.subarray(0, cut), false);
      heard.outgoing.write(text.subarray(cut), true);
      expect(await whole(heard)).toBe("EINS\nZWÖ\n\nDREI\nLAST\n");
    }
  });

  test("whose promises are settled at once are answered in one frame too", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("a\nb\nc\nd\n", true, soon);
    expect(await whole(heard)).toBe("a!\nb!\nc!\nd!\n");
    expect(heard.chunks).toHaveLength(1);
  });

  test("that are answered do not wait for one that takes longer", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("a\nb\nnever\nc\n", false, soon);
    await trial.until(() => heard.text === "a!\nb!\n");
    expect(heard.chunks).toHaveLength(1);
    trial.reset(heard);
  });

  test("of one client come one at a time, though some are waited for", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("a\nwait 1\nb\nwait 2\nwait 3\nc\n", true, mixed);
    expect(await whole(heard)).toBe("<a>\nwaited for wait 1\n<b>\nwaited for wait 2\nwaited for wait 3\n<c>\n");
  });

  test("that come while one is waited for wait too", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("wait 1\n", false, mixed);
    heard.outgoing.write(Buffer.from("a\n"), false);
    heard.outgoing.write(Buffer.from("b\nc"), true);
    expect(await whole(heard)).toBe("waited for wait 1\n<a>\n<b>\n<c>\n");
  });

  test("of many clients do not wait for each other", async () => {
    await using trial = await FunctionTrial.open(options);
    const stuck = trial.connect("x\n", false, never);
    const others = Array.from({ length: 50 }, (_, at) => trial.connect(`wait ${at}\n${at}\n`, true, mixed));
    expect(await Promise.all(others.map(whole))).toEqual(others.map((_, at) => `waited for wait ${at}\n<${at}>\n`));
    expect(stuck.text).toBe("");
  });

  test("that fail are answered with Err:, and the log has why", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("refuse\nthrow\nreject\nobject\na\n", true, mixed);
    expect(await whole(heard)).toBe(
      "Err: not this one, really\nErr: The function failed\nErr: The function failed\nErr: The function failed\n<a>\n",
    );
    expect(trial.logs).toMatchObject([
      { level: "error", operation: "tcp:1234", id: "id-1", text: expect.stringMatching(/^Error: broken\n\s+at mixed/) },
      { level: "error", text: expect.stringContaining("broken later") },
      { level: "error", text: expect.stringContaining("A function of lines returns text, not a value of type object") },
    ]);
  });

  test("have answers of one line or several, empty ones, numbers and bytes", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("several\nnothing\nnumber\nbytes\n", true, mixed);
    expect(await whole(heard)).toBe("one\ntwo\n\n55\nü\n");
  });

  test("have a context that says whose they are, and log lines do too", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("who\nprint\n", true, { ...mixed, id: "connection-1", client: "10.0.0.9" });
    expect(await whole(heard)).toBe("connection-1 tcp:1234 10.0.0.9 true\n\n");
    expect(trial.logs).toMatchObject([{ id: "connection-1", operation: "tcp:1234", text: "printed" }]);
  });

  test("are answered no faster than the client takes answers", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("1234567890\n".repeat(20), true, long);
    heard.grants = false;
    await trial.until(() => heard.bytes === windowBytes);
    heard.grants = true;
    heard.credit.consumed(windowBytes);
    const text = await whole(heard);
    expect(text).toBe(`${"1234567890".repeat(100_000)}\n`.repeat(20));
  });

  test("are granted as they are answered, and a line that is longer than a window too", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("", false, upper);
    heard.outgoing.write(Buffer.from(`${"x".repeat(3 * windowBytes)}\ny\n`), true);
    expect(await whole(heard)).toBe(`${"X".repeat(3 * windowBytes)}\nY\n`);
    const stuck = trial.connect("", false, never);
    stuck.outgoing.write(Buffer.from("z\n".repeat(windowBytes)), true);
    await whole(trial.connect("a\n", true, upper));
    expect(stuck.granted).toBe(0);
  });

  test("of a client that leaves are given up: its signal aborts", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("x\ny\n", false, never);
    await whole(trial.connect("a\n", true, upper));
    trial.reset(heard, "client-left");
    await trial.until(() => trial.logs.length > 0);
    expect(trial.logs[0]?.text).toBe("aborted: AbortError");
    expect(heard.ended).toBe(false);
  });

  test("of a client that says nothing end with it", async () => {
    await using trial = await FunctionTrial.open(options);
    expect(await whole(trial.connect("", true, upper))).toBe("");
    expect(await whole(trial.connect("\n", true, upper))).toBe("\n");
  });

  test("for a listener that the instance does not have are refused", async () => {
    await using trial = await FunctionTrial.open(options);
    const heard = trial.connect("a\n", true, { listener: 9 });
    await heard.over.promise;
    expect(heard.resetHead?.detail).toBe("This instance has no listener 9");
  });

  test("a hundred thousand, of a thousand clients, are answered", async () => {
    await using trial = await FunctionTrial.open(options);
    const lines = Array.from({ length: 100 }, (_, at) => `line ${at}`);
    const clients = Array.from({ length: 1000 }, () => trial.connect(`${lines.join("\n")}\n`, true, upper));
    const expected = `${lines.join("\n").toUpperCase()}\n`;
    for (const client of clients) expect(await whole(client)).toBe(expected);
  });
});

/** Programs that reply well, badly, twice, late, to somebody else, with too much, too slowly or not at all. */
import { describe, expect, test } from "bun:test";
import { answerModule } from "./answering.ts";
import { appOf } from "./app-folder.ts";
import { gone, isAlive, residentBytes } from "./process-tree.ts";
import { servedApp } from "./served-app.ts";

const megabytes = 1024 * 1024;

const programs = {
  "plain.ts": `await answer("plain");`,
  "status.ts": `await answer("made", { status: 201, headers: { location: "/things/7", "x-colour": "green" } });`,
  "status-header.ts": `await answer("made", { headers: { status: "202" } });`,
  "form-type.ts": `await answer("curl -d", { headers: { "content-type": "application/x-www-form-urlencoded" } });`,
  "hop-by-hop.ts": `await answer("x", { headers: { "keep-alive": "timeout=1", "proxy-authenticate": "Basic", "x-urocket-error": "forged", "x-kept": "yes" } });`,
  "twice.ts": `await answer("first"); await answer("second");`,
  "late.ts": `process.on("SIGTERM", async () => { await answer("too late"); process.exit(0); }); await new Promise(() => setInterval(() => {}, 1e6));`,
  "wrong-id.ts": `await answer("stray", { path: "/uri/" + crypto.randomUUID() }); await answer("mine");`,
  "wrong-verb.ts": `await answer(undefined, { method: "DELETE" }); await answer("right");`,
  "lingering.ts": `await Bun.write("lingering.pid", String(process.pid)); await answer("done already"); await new Promise(() => setInterval(() => {}, 1e6));`,
  "status-999.ts": `await answer("odd", { status: 999 });`,
  "status-word.ts": `await answer("odd", { status: "ok" });`,
  "better-status.ts": `await answer("odd", { status: 99 }); await answer("better", { status: 203 });`,
  "silent.ts": `process.exit(3);`,
  "dribble.ts": `
    const socket = await connection();
    socket.setNoDelay?.(true);
    socket.write("POST " + process.env.UROCKET_REPLY + " HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: text/plain\\r\\nContent-Length: 12\\r\\n\\r\\nd");
    await fileAppears("dribble.go");
    for (const letter of "ribbling...") { socket.write(letter); await new Promise(setImmediate); }
    socket.once("data", (told) => { console.log("told " + told.toString().split(" ")[1]); process.exit(0); });`,
  "half.ts": `
    const socket = await connection();
    socket.write("POST " + process.env.UROCKET_REPLY + " HTTP/1.1\\r\\nHost: x\\r\\nContent-Type: text/plain\\r\\nContent-Length: 100000\\r\\n\\r\\nonly this");
    await fileAppears("half.go");
    process.exit(0);`,
  "garbage.ts": `
    const socket = await connection();
    socket.write("this is no HTTP\\r\\n\\r\\n");
    socket.once("data", (told) => { console.log("told " + told.toString().split(" ")[1]); process.exit(0); });`,
};

const shellPrograms = {
  "hundred.sh": `#!/bin/sh\nhead -c ${100 * megabytes} /dev/zero | urocket reply --type application/octet-stream\n`,
  "reply-command.sh": `#!/bin/sh\necho "from the command" | urocket reply --status 201 --type text/x-note --header 'X-Colour: blue'\n`,
  "kill-me.sh": "#!/bin/sh\nkill -KILL $$\n",
  "fault.sh": "#!/bin/sh\nkill -SEGV $$\n",
  "not-executable.txt": "I am no program\n",
};

function operation(name: string, inject: string): string {
  return `  /${name}:\n    get:\n      inject: { ${inject} }\n`;
}

const serviceFile = `
name: replies
timeout: 20s
paths:
${Object.keys(programs)
  .map((file) =>
    operation(file.replace(".ts", ""), `cmd: bun ${file}${file === "late.ts" || file === "lingering.ts" ? ", timeout: 1500ms" : ""}`),
  )
  .join("")}
${operation("hundred", "cmd: ./hundred.sh")}
${operation("reply-command", "cmd: ./reply-command.sh")}
${operation("kill-me", "cmd: ./kill-me.sh")}
${operation("fault", "cmd: ./fault.sh")}
${operation("not-there", "cmd: ./not-there")}
${operation("not-executable", "cmd: ./not-executable.txt")}
`;

describe("replies", () => {
  const host = servedApp(() => {
    const app = appOf({ "urocket-service.yaml": serviceFile, "answer.ts": answerModule, ...shellPrograms });
    for (const [file, text] of Object.entries(programs))
      app.write(file, `import { answer, connection, fileAppears } from "./answer.ts";\n${text}\n`);
    return app;
  });

  const get = async (path: string): Promise<Response> => await fetch(host.url + path);
  const told = async (response: Response, status: number): Promise<void> => {
    const requestId = response.headers.get("x-request-id");
    await host.logged(
      `that the program was told ${status}`,
      (line) => line["type"] === "output" && line["requestId"] === requestId && JSON.stringify(line).includes(`"told ${status}`),
    );
  };
  const refused = async (path: string, status: number): Promise<{ response: Response; detail: string }> => {
    const response = await get(path);
    expect(response.status).toBe(status);
    expect(response.headers.get("content-type")).toStartWith("application/problem+json");
    expect(response.headers.get("x-urocket-error")).toMatch(/^[a-z-]+$/);
    const { detail, status: bodyStatus } = (await response.json()) as { detail: string; status: number };
    expect(bodyStatus).toBe(status);
    return { response, detail };
  };

  test("a reply without a status is a 200, and the program is told that it was taken", async () => {
    const response = await get("/plain");
    expect(response.status).toBe(200);
    expect(await response.text()).toBe("plain");
    expect(response.headers.get("x-urocket-error")).toBeNull();
    await told(response, 200);
  });

  test("the status comes from the query, and end-to-end headers are passed on", async () => {
    const response = await get("/status");
    expect(response.status).toBe(201);
    expect(response.headers.get("location")).toBe("/things/7");
    expect(response.headers.get("x-colour")).toBe("green");
  });

  test("the status comes from a Status header, which is not passed on", async () => {
    const response = await get("/status-header");
    expect(response.status).toBe(202);
    expect(response.headers.get("status")).toBeNull();
  });

  test("curl's own default content type is not the response's", async () => {
    const response = await get("/form-type");
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type") ?? "").not.toContain("urlencoded");
  });

  test("hop-by-hop headers and urocket's own are not the program's to set", async () => {
    const response = await get("/hop-by-hop");
    expect(response.headers.get("x-kept")).toBe("yes");
    expect(response.headers.get("keep-alive")).toBeNull();
    expect(response.headers.get("x-urocket-error")).toBeNull();
  });

  test("`urocket reply` answers from a shell script", async () => {
    const response = await get("/reply-command");
    expect(response.status).toBe(201);
    expect(response.headers.get("content-type")).toBe("text/x-note");
    expect(response.headers.get("x-colour")).toBe("blue");
    expect(await response.text()).toBe("from the command\n");
  });

  test("of two replies the first counts, and the second is told 409", async () => {
    const response = await get("/twice");
    expect(await response.text()).toBe("first");
    await told(response, 200);
    await told(response, 409);
  });

  test("a reply after the deadline is told 410, and the client was told 504 by then", async () => {
    const { response, detail } = await refused("/late", 504);
    expect(detail).toContain("1500 ms");
    await told(response, 410);
  });

  test("a reply to a request that does not exist is told 404 and harms nobody", async () => {
    const response = await get("/wrong-id");
    expect(await response.text()).toBe("mine");
    await told(response, 404);
    await told(response, 200);
  });

  test("another verb than POST is told 405", async () => {
    const response = await get("/wrong-verb");
    expect(await response.text()).toBe("right");
    await told(response, 405);
  });

  test("a program that replies and stays has until the deadline, and the client does not wait for it", async () => {
    const response = await get("/lingering");
    expect(await response.text()).toBe("done already");
    const pid = Number(host.app.read("lingering.pid"));
    expect(isAlive(pid)).toBeTrue();
    await gone([pid]);
    const line = await host.exchange(response.headers.get("x-request-id") ?? "");
    expect(line["status"]).toBe(200);
  });

  test("a hundred megabytes go through without being held", async () => {
    const before = host.processes().map(({ pid }) => ({ pid, bytes: residentBytes(pid) }));
    const response = await get("/hundred");
    expect(response.status).toBe(200);
    let received = 0;
    for await (const chunk of response.body ?? []) received += chunk.length;
    expect(received).toBe(100 * megabytes);
    for (const { pid, bytes } of before) expect(residentBytes(pid) - bytes).toBeLessThan(60 * megabytes);
  });

  test("a reply that comes a byte at a time reaches the client as it comes", async () => {
    const response = await get("/dribble");
    expect(response.status).toBe(200);
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    const decoder = new TextDecoder();
    let text = decoder.decode((await reader.read()).value);
    // The program does not send the rest before this file is there.
    expect(text).toBe("d");
    host.app.write("dribble.go", "");
    for (let next = await reader.read(); !next.done; next = await reader.read()) text += decoder.decode(next.value);
    expect(text).toBe("dribbling...");
    await told(response, 200);
  });

  test("a reply that breaks off is not passed for a whole one", async () => {
    const response = await get("/half");
    expect(response.status).toBe(200);
    const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("only this");
    host.app.write("half.go", "");
    expect(async () => await reader.read()).toThrow();
    const line = await host.exchange(response.headers.get("x-request-id") ?? "");
    expect(line["error"]).toBeString();
  });

  test.each(["/status-999", "/status-word"])("%s is no status: the program is told 400, the client 502", async (path) => {
    const { response } = await refused(path, 502);
    await told(response, 400);
  });

  test("a program that was told 400 may do better", async () => {
    const response = await get("/better-status");
    expect(response.status).toBe(203);
    expect(await response.text()).toBe("better");
  });

  test("bytes that are no HTTP are told 400, and the client 502", async () => {
    const { response } = await refused("/garbage", 502);
    await told(response, 400);
  });

  test("a program that ends without a reply is a 502 that names its exit code", async () => {
    const { response, detail } = await refused("/silent", 502);
    expect(detail).toContain("3");
    expect(await host.exchange(response.headers.get("x-request-id") ?? "")).toMatchObject({ status: 502 });
  });

  test.each([
    ["/kill-me", "SIGKILL"],
    ["/fault", "SIGSEGV"],
  ])("a program that is killed is a 502 that names the signal: %s", async (path, signal) => {
    expect((await refused(path, 502)).detail).toContain(signal);
  });

  test("a program that does not exist is a 502 that names it", async () => {
    expect((await refused("/not-there", 502)).detail).toContain("./not-there");
  });

  test("a file that is not executable is a 502 that names it", async () => {
    expect((await refused("/not-executable", 502)).detail).toContain("not-executable.txt");
  });

  test("after all this the host serves on, and none of its runners has died", async () => {
    expect((await get("/plain")).status).toBe(200);
    expect(host.log.filter((line) => line["event"] === "instance-died")).toEqual([]);
    expect(host.runners().length).toBeGreaterThan(0);
  });
});

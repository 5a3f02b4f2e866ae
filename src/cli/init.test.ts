import { afterEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serve } from "../../tests/serving.ts";
import { requireRoot, requireTool } from "../../tests/system-tools.ts";
import { nobody, urocket } from "../../tests/urocket-command.ts";

const made: string[] = [];
afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "urocket-init-"));
  made.push(folder);
  return folder;
}

async function initialised(): Promise<string> {
  const folder = join(temporaryFolder(), "hello");
  expect(await urocket(["init", folder])).toMatchObject({ code: 0, stderr: "" });
  return folder;
}

test("makes the folder, tells what is in it and what to type next", async () => {
  const cwd = temporaryFolder();
  const { code, stdout, stderr } = await urocket(["init", "new/hello"], { cwd });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(existsSync(join(cwd, "new/hello/urocket-service.yaml"))).toBe(true);
  expect(stdout).toContain("scripts/hello.sh");
  expect(stdout).toContain("  urocket dev new/hello\n");
  expect(lstatSync(join(cwd, "new/hello/scripts/hello.sh")).mode & 0o777).toBe(0o755);
});

test("fills the current folder by default, and speaks of npx to who came by it", async () => {
  const cwd = temporaryFolder();
  writeFileSync(join(cwd, "notes.txt"), "mine");
  const { stdout } = await urocket(["init"], { cwd, env: { npm_command: "exec" } });
  expect(stdout).toContain("Made an app in .:");
  expect(stdout).toContain("  npx urocket dev\n");
  expect(readFileSync(join(cwd, "notes.txt"), "utf8")).toBe("mine");
});

describe("overwrites nothing", () => {
  for (const name of ["urocket-service.yaml", "urocket-service.json", "openapi.yaml", "scripts/sum.py"]) {
    test(`where ${name} is there`, async () => {
      const folder = temporaryFolder();
      mkdirSync(join(folder, "scripts"));
      writeFileSync(join(folder, name), "mine");
      const before = readdirSync(folder, { recursive: true });
      const { code, stderr } = await urocket(["init", folder]);
      expect(code).toBe(2);
      expect(stderr).toContain(`${name} would be overwritten`);
      expect(readdirSync(folder, { recursive: true })).toEqual(before);
      expect(readFileSync(join(folder, name), "utf8")).toBe("mine");
    });
  }

  test("through a link that leads nowhere", async () => {
    const folder = temporaryFolder();
    symlinkSync(join(folder, "elsewhere"), join(folder, "openapi.yaml"));
    expect(await urocket(["init", folder])).toMatchObject({ code: 2 });
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);
  });

  test("that is no folder, or cannot be one", async () => {
    const file = join(temporaryFolder(), "file");
    writeFileSync(file, "mine");
    expect(await urocket(["init", file])).toMatchObject({ code: 2, stderr: expect.stringContaining("it is not a folder") });
    expect(await urocket(["init", join(file, "below")])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(`${file} is not a folder\n  Name a folder that can be made`),
    });
  });
});

test("a folder that cannot be written to is told, exit 1", async () => {
  expect(await urocket(["init", "/proc/urocket"])).toMatchObject({
    code: 1,
    stderr: "error: Cannot write to /proc/urocket: there is no such file\n  Name a folder that you may write to, with room.\n",
  });
});

requireRoot("a folder of another user is told in words", async () => {
  const folder = temporaryFolder();
  chmodSync(folder, 0o700);
  const { code, stderr } = await urocket(["init", folder], { uid: nobody });
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: `error: Cannot write to ${folder}: permission denied\n  Name a folder that you may write to, with room.\n`,
  });
});

test("an empty name is refused, and does not mean the current folder", async () => {
  const cwd = temporaryFolder();
  expect(await urocket(["init", ""], { cwd })).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot make an app in ""') });
  expect(readdirSync(cwd)).toEqual([]);
});

test("what to type next can be copied, whatever the folder is called", async () => {
  const { stdout } = await urocket(["init", "my app"], { cwd: temporaryFolder() });
  expect(stdout).toContain("  urocket dev 'my app'\n");
});

test("templates of later versions and unknown ones are told apart", async () => {
  const folder = join(temporaryFolder(), "x");
  const later = await urocket(["init", folder, "--template", "site"]);
  expect(later).toMatchObject({ code: 2, stderr: expect.stringContaining('The template "site" is not part of this version') });
  const unknown = await urocket(["init", folder, "-t", "script"]);
  expect(unknown).toMatchObject({ code: 2, stderr: expect.stringContaining('Cannot find template "script": did you mean "scripts"?') });
  expect(existsSync(folder)).toBe(false);
});

test("what it makes passes check without a warning", async () => {
  const folder = await initialised();
  const { code, stdout } = await urocket(["check", folder]);
  expect(stdout).toContain("hello is ready to serve: 3 operations, 0 errors");
  expect(code).toBe(0);
});

function post(url: string, body: object): Promise<Response> {
  return fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
}

test("what it makes serves at once: the shell script, and the contract", async () => {
  await using host = await serve(await initialised());
  const greeting = await fetch(`${host.url}/hello/Ada`);
  expect({ status: greeting.status, body: await greeting.json() }).toEqual({ status: 200, body: { message: "Hello, Ada!" } });
  expect((await fetch(`${host.url}/hello/4d4`)).status).toBe(400);
  expect((await post(`${host.url}/sum`, { numbers: "three" })).status).toBe(400);
});

test("its shell script answers without curl too", async () => {
  const folder = await initialised();
  const script = join(folder, "scripts/hello.sh");
  writeFileSync(script, readFileSync(script, "utf8").replace("command -v curl", "command -v no-such-program"));
  await using host = await serve(folder);
  expect(await (await fetch(`${host.url}/hello/Ada`)).json()).toEqual({ message: "Hello, Ada!" });
});

requireTool("python3")("its Python script adds", async () => {
  await using host = await serve(await initialised());
  const sum = await post(`${host.url}/sum`, { numbers: [1, 2, 3.5] });
  expect({ status: sum.status, body: await sum.json() }).toEqual({ status: 200, body: { sum: 6.5 } });
});

requireTool("php")("its PHP script counts words", async () => {
  await using host = await serve(await initialised());
  const words = await post(`${host.url}/words`, { text: "to be or not to be" });
  expect({ status: words.status, body: await words.json() }).toEqual({ status: 200, body: { words: 6 } });
});

test("the template of functions answers at once", async () => {
  const folder = join(temporaryFolder(), "hello");
  const made = await urocket(["init", folder, "--template", "functions"]);
  expect(made.stdout).toContain("  curl http://127.0.0.1:8080/hello/Ada\n");
  const { code, stdout } = await urocket(["invoke", "hello", folder, "-p", "name=Ada"]);
  expect({ code, body: JSON.parse(stdout) as unknown }).toEqual({ code: 0, body: { message: "Hello, Ada!" } });
});

test("the template of lines answers at once", async () => {
  const folder = join(temporaryFolder(), "lines");
  const made = await urocket(["init", folder, "--template", "tcp"]);
  expect(made.stdout).toContain("  printf 'sum 1 2 3.5\\n' | nc -N 127.0.0.1 4000\n");
  // A port of its own could be somebody else's here.
  const file = join(folder, "urocket-service.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace("tcp: 4000", "unix: lines.sock"));
  const answer = await urocket(["invoke", "unix:lines.sock", folder, "--data", "sum 1 2 3.5"]);
  expect(answer).toMatchObject({ code: 0, stdout: expect.stringContaining("6.5") as string });
});

test("where a language is missing, its operation answers 502 and says so, and the others work", async () => {
  const folder = await initialised();
  const file = join(folder, "urocket-service.yaml");
  writeFileSync(file, readFileSync(file, "utf8").replace("php words.php", "no-such-language words.php"));
  expect(await urocket(["check", folder])).toMatchObject({ code: 0, stdout: expect.stringContaining("no-such-language") });
  await using host = await serve(folder);
  const words = await post(`${host.url}/words`, { text: "a" });
  expect(words.status).toBe(502);
  expect(await words.text()).toContain("no-such-language");
  expect((await fetch(`${host.url}/hello/Ada`)).status).toBe(200);
});

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { App } from "../config/app.ts";
import { checkSecrets, deliverSecrets } from "./secrets.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "urocket-secrets-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const app = (...secrets: readonly string[]): App =>
  ({ name: "shop", file: "/shop/urocket-service.yaml", secrets, operations: [] }) as Partial<App> as App;

describe("secrets", () => {
  test("that are not there are told all at once, each with its file", () => {
    const problems = checkSecrets(app("KEY", "PASSWORD"), folder);
    expect(problems.map(({ message, hint }) => [message.split(":")[0], hint])).toEqual([
      ["Cannot read the secret KEY", `Put its text into the file ${folder}/KEY`],
      ["Cannot read the secret PASSWORD", `Put its text into the file ${folder}/PASSWORD`],
    ]);
    expect(checkSecrets(app("KEY"), undefined)[0]?.hint).toContain("--secrets DIR");
    expect(checkSecrets(app(), undefined)).toEqual([]);
  });

  test("over 64 KiB are refused", () => {
    writeFileSync(join(folder, "LONG"), "x".repeat(64 * 1024 + 1));
    expect(checkSecrets(app("LONG"), folder)[0]?.message).toBe("The secret LONG has 65537 bytes; 65536 at most");
  });

  test("are delivered as files that their owner alone can read", () => {
    writeFileSync(join(folder, "KEY"), "s3cret\n");
    const into = join(folder, "delivered");
    const delivered = deliverSecrets(app("KEY"), folder, into);
    expect([delivered.own, delivered.forUser(undefined)]).toEqual([into, into]);
    expect(readFileSync(join(into, "KEY"), "utf8")).toBe("s3cret\n");
    expect([statSync(into).mode & 0o777, statSync(join(into, "KEY")).mode & 0o777]).toEqual([0o700, 0o400]);
  });

  test("are removed when they are done with, and where one of them cannot be delivered", () => {
    const into = join(folder, "removed");
    writeFileSync(join(folder, "KEY"), "s3cret\n");
    const delivered = deliverSecrets(app("KEY"), folder, into);
    delivered.remove();
    expect(existsSync(into)).toBe(false);
    expect(() => deliverSecrets({ ...app("KEY"), secrets: ["KEY", "GONE"] }, folder, into)).toThrow("ENOENT");
    expect(existsSync(into)).toBe(false);
  });

  test.if(process.getuid?.() === 0)("of a program that runs as another user are that user's", () => {
    const operations = [{ kind: "program", inject: { user: "nobody" } }] as unknown as App["operations"];
    const delivered = deliverSecrets({ ...app("KEY"), operations }, folder, join(folder, "for"));
    const theirs = delivered.forUser("nobody");
    expect(theirs).not.toBe(delivered.own);
    expect([statSync(theirs).uid, statSync(join(theirs, "KEY")).uid]).toEqual([65534, 65534]);
  });
});

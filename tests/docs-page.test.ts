/** The contract's documentation as a browser shows it. */
import { describe, expect } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { copyOfExample } from "./app-folder.ts";
import { serve } from "./serving.ts";
import { requireTool } from "./system-tools.ts";

/** What a page looks like when its scripts have run, and what the browser complained about meanwhile. */
async function browse(url: string): Promise<{ readonly page: string; readonly complaints: string }> {
  const profile = mkdtempSync(join(tmpdir(), "urocket-browser-"));
  try {
    const sandbox = process.getuid?.() === 0 ? ["--no-sandbox"] : [];
    const browser = Bun.spawn(
      ["chromium", "--headless", ...sandbox, "--disable-gpu", "--disable-dev-shm-usage", "--enable-logging=stderr"].concat([
        `--user-data-dir=${profile}`,
        "--virtual-time-budget=10000",
        "--dump-dom",
        url,
      ]),
      { stdin: "ignore", stdout: "pipe", stderr: "pipe", timeout: 60_000, killSignal: "SIGKILL" },
    );
    const [page, complaints] = await Promise.all([new Response(browser.stdout).text(), new Response(browser.stderr).text()]);
    await browser.exited;
    return { page, complaints };
  } finally {
    rmSync(profile, { recursive: true, force: true });
  }
}

describe("/_docs", () => {
  requireTool("chromium")(
    "shows every operation of the contract in a browser, by files of its own alone",
    async () => {
      using app = copyOfExample("pets-functions");
      await using host = await serve(app.folder, { flags: ["--docs"] });
      const { page, complaints } = await browse(`${host.url}/_docs/pets-functions/`);
      for (const operation of ["listPets", "addPet", "showPet", "deletePet"]) expect(page).toContain(operation);
      expect(complaints).not.toContain("Content Security Policy");
      expect(complaints).not.toContain("Refused to");
      expect(page).not.toMatch(/(?:src|href)="https?:\/\/(?!127\.0\.0\.1)[^"]*\.(?:js|css)"/);
    },
    90_000,
  );
});

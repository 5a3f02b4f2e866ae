import { describe, expect, test } from "bun:test";
import { appOf } from "../../tests/app-folder.ts";
import { loadServiceFile } from "../config/service-file.ts";
import { serviceSources } from "./service-sources.ts";

/** The sources of a service with that command, from the app's folder. */
async function sources(cmd: string, files: Readonly<Record<string, string>>): Promise<readonly string[]> {
  using app = appOf({ "urocket-service.yaml": `service: { cmd: "${cmd}" }\n`, ...files });
  const loaded = await loadServiceFile(app.folder);
  if (!loaded.ok) throw new Error("the service file is wrong");
  return serviceSources(loaded.app).map((file) => file.replace(`${app.folder}/`, ""));
}

describe("a daemon's sources", () => {
  test("are the files of the app that its command names", async () => {
    const files = { "server.py": "import helper\n", "conf/server.ini": "", "other.py": "" };
    expect(await sources("python3 server.py --config conf/server.ini --port {{port}} /etc/passwd", files)).toEqual([
      "server.py",
      "conf/server.ini",
    ]);
  });

  test("are what its script imports of the app, too, however far and in circles", async () => {
    const files = {
      "server.ts":
        'import { a } from "./lib/a.ts";\nimport "zod";\nimport "node:fs";\nconst b = await import("./b");\nconsole.log(a, b);\n',
      "lib/a.ts": 'import "../server.ts";\nimport "../../outside.ts";\nexport const a: number = 1;\n',
      "b.js": "module.exports = require('./c.json');\n",
      "c.json": "{}",
      "unused.ts": "",
    };
    expect((await sources("bun run server.ts", files)).toSorted()).toEqual(["b.js", "c.json", "lib/a.ts", "server.ts"]);
  });

  test("are none that is not there, or cannot be read as what it is called", async () => {
    expect(await sources("bun server.ts", {})).toEqual([]);
    expect(await sources("bun server.ts", { "server.ts": "this is (no script" })).toEqual(["server.ts"]);
  });
});

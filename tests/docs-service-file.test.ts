import { describe, expect, test } from "bun:test";
import { serviceFileSchema } from "../src/config/json-schema.ts";
import { loadServiceFile } from "../src/config/service-file.ts";
import { appOf, root } from "./app-folder.ts";

const page = await Bun.file(`${root}/docs/service-file.md`).text();

describe("docs/service-file.md", () => {
  test("has every key that the service file knows", () => {
    const keysOf = (schema: unknown): readonly string[] => {
      const { properties = {}, $defs = {} } = schema as { properties?: Record<string, unknown>; $defs?: Record<string, unknown> };
      return [...Object.keys(properties), ...[...Object.values(properties), ...Object.values($defs)].flatMap(keysOf)];
    };
    const keys = [...new Set(keysOf(serviceFileSchema()))].filter((key) => !/^[A-Z]+$/.test(key));
    expect(keys.length).toBeGreaterThan(40);
    expect(keys.filter((key) => !page.includes(`\`${key}\``))).toEqual([]);
  });

  test("shows service files that load", async () => {
    const examples = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = ""]) => yaml).filter((yaml) => yaml.includes("paths:"));
    expect(examples).toHaveLength(2);
    for (const yaml of examples) {
      using app = appOf({
        "urocket-service.yaml": yaml,
        "openapi.yaml": "",
        "scripts/list.php": "",
        "src/functions.ts": "",
        "src/pets.ts": "",
        "src/fib.ts": "",
      });
      expect(await loadServiceFile(app.folder)).toMatchObject({ ok: true });
    }
  });
});

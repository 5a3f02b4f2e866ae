/** The service file's JSON Schema, for editors: made of the same description that the checker uses. */
import { serviceFile } from "./description.ts";
import type { Definitions, JsonSchema } from "./shape.ts";

export function serviceFileSchema(): JsonSchema {
  const definitions: Definitions = new Map();
  const root = serviceFile.schema(definitions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "urocket service file",
    description: "urocket-service.yaml: which program answers which operation of an app.",
    ...root,
    $defs: Object.fromEntries([...definitions].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  };
}

/** The schema as it is published, byte for byte. */
export function serviceFileSchemaText(): string {
  return `${JSON.stringify(serviceFileSchema(), null, 2)}\n`;
}

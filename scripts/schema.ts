/** Writes schema/urocket-service.schema.json from the description of the service file's keys. */
import { serviceFileSchemaText } from "../src/config/json-schema.ts";

await Bun.write(new URL("../schema/urocket-service.schema.json", import.meta.url), serviceFileSchemaText());

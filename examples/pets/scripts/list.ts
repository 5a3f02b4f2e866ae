/** GET /pets. The payload is the last argument: the query parameters, typed and with the contract's defaults. */
import { reply } from "./reply.ts";
import { listPets } from "./store.ts";

const query = JSON.parse(process.argv.at(-1) ?? "{}") as { limit: number; tag?: string };
await reply(200, listPets(query));

/** The functions of apps/functions on Bun.serve, on a unix socket or a TCP port: what proxies are put in front of. */
import fetched, { addOrder, hello, type NewOrder } from "../apps/functions/functions.ts";

const unix = process.env["BENCH_SOCKET"];
const routes = {
  "/hello": { GET: () => Response.json(hello()) },
  "/fetch": { GET: (request: Request) => fetched.fetch(request) },
  "/orders": { POST: async (request: Request) => Response.json(addOrder({ body: (await request.json()) as NewOrder })) },
};
const fetch = (): Response => new Response("not found\n", { status: 404 });

if (unix === undefined) Bun.serve({ hostname: "127.0.0.1", port: Number(process.env["BENCH_PORT"]), idleTimeout: 255, routes, fetch });
else Bun.serve({ unix, routes, fetch });

/** A daemon that says who it is: each start has an id of its own, so that one sees which of several answers. */
import { parseArgs } from "node:util";

const usage = `Usage: bun server.ts [options]

Says who it is, over HTTP.

  -a, --address <address>  address to listen on; 127.0.0.1 is reached from this machine alone, and of a container
                           from nowhere else: there, listen on 0.0.0.0 (default: 127.0.0.1)
  -p, --port <port>        port to listen on; 0: any that is free (default: 8080)
  -h, --help               show this help`;

interface Options {
  readonly address: string;
  readonly port: number;
}

/** What the command line asks for; ends the process where it asks for help, or for what cannot be. */
function readOptions(argv: readonly string[]): Options {
  try {
    const { values } = parseArgs({
      args: [...argv],
      options: {
        address: { type: "string", short: "a", default: "127.0.0.1" },
        port: { type: "string", short: "p", default: "8080" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    return { address: values.address, port: portOf(values.port) };
  } catch (error) {
    return fail(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`, 2);
  }
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port > 65_535) throw new Error(`The port "${text}" is no number from 0 to 65535`);
  return port;
}

function fail(message: string, status: number): never {
  console.error(message);
  process.exit(status);
}

const id = crypto.randomUUID();
const pages: ReadonlyMap<string, string> = new Map([
  ["/", `My id is ${id}`],
  ["/users", "You're my first user"],
]);

function answer(request: Request): Response {
  const page = pages.get(new URL(request.url).pathname);
  if (page === undefined) return new Response("There is nothing here", { status: 404 });
  if (request.method !== "GET" && request.method !== "HEAD")
    return new Response("Only GET is answered", { status: 405, headers: { allow: "GET, HEAD" } });
  return new Response(page);
}

function listen({ address, port }: Options): Bun.Server<undefined> {
  try {
    // Longer than whoever is in front keeps idle connections, so that it is not the one who is surprised.
    return Bun.serve({ hostname: address, port, idleTimeout: 120, development: false, reusePort: false, fetch: answer });
  } catch (error) {
    return fail(`Cannot listen on ${address}:${port}: ${error instanceof Error ? error.message : String(error)}`, 1);
  }
}

const server = listen(readOptions(process.argv.slice(2)));
console.log(`${id} listens on http://${server.hostname}:${server.port}`);

/** Open requests are answered, and no others taken. */
async function leave(): Promise<void> {
  await server.stop();
  process.exit(0);
}
for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => void leave());

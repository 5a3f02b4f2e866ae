/** Runs the C client that waits for one answer's first byte (load/first-byte.c). */
import { join } from "node:path";
import type { Ground } from "../process/ground.ts";
import type { Start } from "../peers/starts.ts";
import { buildFolder } from "./build-folder.ts";
import type { Question } from "./server.ts";

export interface FirstByte {
  readonly us: number;
  /** What came instead of the right answer. */
  readonly fault?: string;
}

interface Report {
  readonly right: boolean;
  readonly firstByteUs: number;
  readonly answer: string;
}

const client = join(buildFolder, "first-byte");

/** Asks on a connection that was made before; `ready` is awaited in between, and tells why not to ask after all. */
export async function askOnce(
  ground: Ground,
  port: number,
  question: Question,
  ready: () => Promise<string | undefined>,
): Promise<FirstByte> {
  const child = ground.converse([client, "--port", String(port), "--path", question.path, "--body", question.body]);
  const output = lines(child.stdout);
  await output.next();
  const unready = await ready();
  if (unready !== undefined) {
    child.kill();
    return { us: 0, fault: unready };
  }
  await Promise.resolve(child.stdin.write("go\n"));
  await child.stdin.end();
  const answer = await output.next();
  const [complaint] = await Promise.all([child.stderr.text(), child.exited]);
  return answer.done === true ? { us: 0, fault: complaint.trim() } : toFirstByte(JSON.parse(answer.value) as Report);
}

export async function startOnce(ground: Ground, { argv, prints }: Start): Promise<FirstByte> {
  return toFirstByte((await ground.measure([client, "--body", prints, "--", ...argv])) as Report);
}

function toFirstByte({ right, firstByteUs, answer }: Report): FirstByte {
  return right ? { us: firstByteUs } : { us: firstByteUs, fault: `a wrong answer: ${answer}` };
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (const chunk of stream.pipeThrough(new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>)) {
    const parts = (rest + chunk).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

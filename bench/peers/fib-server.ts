/** The same line service on Bun.listen: bytes are scanned, not decoded; answers are made before; one write for what came together. */
const last = 93;
const lineFeed = 10;

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function answersUpTo(n: number): readonly Uint8Array[] {
  const answers: Uint8Array[] = [];
  for (let [a, b, at] = [0n, 1n, 0]; at <= n; at++, [a, b] = [b, a + b]) answers.push(encode(`Ok: ${a}\n`));
  return answers;
}

const answers = answersUpTo(last);
const notANumber = encode("Err: not a whole number\n");
const tooLarge = encode(`Err: more than ${last}\n`);
const noBytes = new Uint8Array(0);

interface State {
  /** The start of a line whose end has not come. */
  partial: Uint8Array;
  unsent: Uint8Array;
}

const output = new Uint8Array(1 << 20);
let filled = 0;

function answer(bytes: Uint8Array, from: number, to: number): Uint8Array {
  if (to > from && bytes[to - 1] === 13) to--;
  if (to === from) return notANumber;
  let n = 0;
  for (let at = from; at < to; at++) {
    const digit = (bytes[at] ?? 0) - 48;
    if (digit < 0 || digit > 9) return notANumber;
    if (n <= last) n = n * 10 + digit;
  }
  return answers[n] ?? tooLarge;
}

function flush(socket: Bun.Socket<State>): void {
  if (filled === 0) return;
  const sent = Math.max(0, socket.write(output, 0, filled));
  if (sent < filled) {
    socket.data.unsent = Buffer.concat([socket.data.unsent, output.subarray(sent, filled)]);
    socket.pause();
  }
  filled = 0;
}

function take(socket: Bun.Socket<State>, chunk: Uint8Array): void {
  const { partial } = socket.data;
  const bytes = partial.length === 0 ? chunk : Buffer.concat([partial, chunk]);
  let from = 0;
  for (let to = bytes.indexOf(lineFeed); to >= 0; to = bytes.indexOf(lineFeed, from)) {
    const text = answer(bytes, from, to);
    if (filled + text.length > output.length) flush(socket);
    output.set(text, filled);
    filled += text.length;
    from = to + 1;
  }
  socket.data.partial = from === bytes.length ? noBytes : bytes.slice(from);
  flush(socket);
}

Bun.listen<State>({
  hostname: "127.0.0.1",
  port: Number(process.env["BENCH_PORT"]),
  socket: {
    open(socket) {
      socket.data = { partial: noBytes, unsent: noBytes };
    },
    data: take,
    drain(socket) {
      const { unsent } = socket.data;
      if (unsent.length === 0) return;
      socket.data.unsent = unsent.subarray(Math.max(0, socket.write(unsent)));
      if (socket.data.unsent.length === 0) socket.resume();
    },
  },
});

/** The end of what a process writes: a crash's last words. */

const charactersMax = 4096;

/** Reads a stream to its end, and tells the last of it each time that more comes. Never rejects. */
export async function keepTail(stream: ReadableStream<Uint8Array>, keep: (text: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let tail = "";
  try {
    for await (const chunk of stream) {
      tail = (tail + decoder.decode(chunk, { stream: true })).slice(-charactersMax);
      keep(tail);
    }
  } catch {
    // The pipe broke with the process; what came is kept.
  }
}

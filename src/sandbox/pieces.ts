/** What a process says in pieces, each with a mark at its end. */

/** Reads a stream to its end, and tells each piece without its mark. Never rejects. */
export async function readPieces(stream: ReadableStream<Uint8Array>, mark: string, take: (piece: string) => void): Promise<void> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const chunk of stream) {
      text += decoder.decode(chunk, { stream: true });
      for (let end = text.indexOf(mark); end >= 0; end = text.indexOf(mark)) {
        take(text.slice(0, end));
        text = text.slice(end + mark.length);
      }
    }
  } catch {
    // The pipe broke with the process.
  }
}

/** Texts that were made well, and broken in a few places, for readers that must stand whatever comes. */
import fc from "fast-check";

/** What parts of HTTP are mistaken for. */
const odd = ["\r\n", "\n", "\r", "0", "5", ";", ":", " ", "\0", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n", "x".repeat(500)];

/** Up to five edits of a text: where, how many characters go, and what comes in their place. */
export const damages = fc.array(fc.tuple(fc.nat(3_000), fc.nat(4), fc.constantFrom(...odd)), { maxLength: 5 });

export function damaged(text: string, damage: readonly (readonly [place: number, drops: number, adds: string])[]): string {
  return damage.reduce((broken, [place, drops, adds]) => {
    const at = place % (broken.length + 1);
    return broken.slice(0, at) + adds + broken.slice(at + drops);
  }, text);
}

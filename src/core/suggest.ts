/**
 * The word that somebody meant. A message about an unknown key or command names the nearest known one, if one is near.
 */

/** Longer words are not compared: the distance takes time that grows with the square of the length. */
const wordLengthMax = 64;

/**
 * The nearest of the known words, or nothing when none is near: at most a third of the letters may be wrong (one at
 * least). Case and the dashes and underscores between words do not count. Of equally near words the first is taken.
 */
export function nearest(word: string, known: Iterable<string>): string | undefined {
  if (word.length > wordLengthMax) return undefined;
  const wanted = plain(word);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(wanted.length / 3)) + 1;
  for (const candidate of known) {
    const there = plain(candidate);
    if (there.length > wordLengthMax || Math.abs(there.length - wanted.length) >= bestDistance) continue;
    const distance = editDistance(wanted, there);
    if (distance < bestDistance && distance < Math.max(wanted.length, there.length)) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Letters to insert, drop, replace or swap with their neighbour, to make one word the other (optimal string alignment). */
export function editDistance(from: string, to: string): number {
  let beforeLast: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= to.length; column += 1) {
      const same = from[row - 1] === to[column - 1];
      let cost = Math.min(at(last, column) + 1, at(current, column - 1) + 1, at(last, column - 1) + (same ? 0 : 1));
      const swapped = row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      if (swapped) cost = Math.min(cost, at(beforeLast, column - 2) + 1);
      current.push(cost);
    }
    [beforeLast, last] = [last, current];
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] ?? Number.POSITIVE_INFINITY;
}

function plain(word: string): string {
  return word.toLowerCase().replaceAll(/[-_]/g, "");
}

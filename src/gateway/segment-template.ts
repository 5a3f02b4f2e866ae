/**
 * A path segment with parameters in it: "{owner}-{name}.json". Matched in one pass from its end. As a regular expression
 * it would be tried at every combination of places, and a client could keep the gateway busy with a long row of dashes.
 */
export class SegmentTemplate {
  readonly #texts: readonly string[];

  /** @param source the segment with `{}` for each parameter, of which it has one or more: "{}-{}.json". */
  constructor(source: string) {
    this.#texts = source.split("{}");
  }

  /**
   * What the parameters stand for, at least one character each, in order; undefined: the segment is not of this shape.
   * Where there is a choice an earlier parameter takes as much as it can: "a.b.c" is `a.b` and `c` of "{}.{}".
   */
  match(segment: string): readonly string[] | undefined {
    const [first = "", ...others] = this.#texts;
    const last = others.at(-1) ?? "";
    let end = segment.length - last.length;
    if (end <= first.length || !segment.startsWith(first) || !segment.endsWith(last)) return undefined;
    const values: string[] = [];
    for (const text of others.slice(0, -1).reverse()) {
      const latest = end - 1 - text.length;
      const at = latest > first.length ? segment.lastIndexOf(text, latest) : -1;
      if (at <= first.length) return undefined;
      values.unshift(segment.slice(at + text.length, end));
      end = at;
    }
    return [segment.slice(first.length, end), ...values];
  }
}

/** The places that are held at an instance's daemon. Taking one and giving it back cost no allocation. */
import type { LimitName } from "../core/limit-name.ts";
import type { Place } from "./place.ts";

export class HeldPlaces {
  readonly #held: Place[] = [];

  get count(): number {
    return this.#held.length;
  }

  add(place: Place): void {
    place.at = this.#held.push(place) - 1;
  }

  /** The last one takes its position. */
  remove(place: Place): void {
    const last = this.#held.pop();
    if (last === undefined || last === place) return;
    this.#held[place.at] = last;
    last.at = place.at;
  }

  /** Tells every holder that it has it no more. */
  lose(detail: string, limit: LimitName | undefined): void {
    for (const place of this.#held.splice(0)) place.lost(detail, limit);
  }
}

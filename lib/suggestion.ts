import leven from "leven";

/** Most words that a suggestion names. */
const limit = 3;

/**
 * The end of a message about an unknown word: `, did you mean "train"?` with the nearest of the
 * known words, or nothing where none is near. Of words that are equally near, the first three are
 * named.
 *
 * A known word is near if at most 40 % of the longer word's letters differ, or if at most 25 % do
 * from some of its parts: `hoper` is near `hopper-medium-v2`, `learning-rate` near
 * `critic-learning-rate`. Two neighboring letters that have changed places are one difference.
 *
 * @param prefix Goes before a known word, for example `--`; quotes surround a word without prefix.
 */
export function suggestion(word: string, known: readonly string[], prefix = ""): string {
  const distances = known.map((other) => distanceTo(word, other));
  const least = Math.min(...distances);
  if (least === Infinity) return "";
  const near = known.filter((_, i) => distances[i] === least)
    .map((other) => prefix === "" ? `"${other}"` : prefix + other);
  const list = near.length > limit
    ? [...near.slice(0, limit), "…"].join(", ")
    : [near.slice(0, -1).join(", "), near.at(-1)].filter(Boolean).join(" or ");
  return `, did you mean ${list}?`;
}

/** How far a known word is from what was typed; infinite where it is not near. */
function distanceTo(word: string, known: string): number {
  const whole = near(word, known, 0.4);
  // A part that fits as well as another whole word is the worse answer.
  return Math.min(whole, ...partsOf(known).map((part) => near(word, part, 0.25) + 0.5));
}

/** Differences between two words; infinite where more than a share of the longer one differs. */
function near(word: string, other: string, share: number): number {
  const distance = swaps(word).includes(other) ? 1 : leven(word, other);
  return distance <= share * Math.max(word.length, other.length) ? distance : Infinity;
}

/** The word with each two neighboring letters swapped in turn. */
function swaps(word: string): string[] {
  return Array.from(
    word.slice(1),
    (_, i) => word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2),
  );
}

/**
 * Every run of the parts between a word's hyphens: of `a-b-c` also `a-b`, `b-c`, `a`, `b` and `c`.
 */
function partsOf(word: string): string[] {
  const parts = word.split("-");
  return parts.flatMap((_, start) =>
    parts.slice(start).map((_, i) => parts.slice(start, start + i + 1).join("-"))
  );
}

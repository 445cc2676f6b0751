import { closestMatch } from "leven";

/**
 * The end of a message about an unknown word: `, did you mean "train"?` with the nearest of the
 * known words, or nothing where none is near (more than 40 % of the longer word's letters differ, and
 * it is not two neighbouring letters that have changed places).
 *
 * @param prefix Goes before the known word, for example `--`; quotes surround a word without prefix.
 */
export function suggestion(word: string, known: readonly string[], prefix = ""): string {
  const close = known.find((other) => swaps(word).includes(other)) ?? nearest(word, known);
  if (close === undefined) return "";
  return prefix === "" ? `, did you mean "${close}"?` : `, did you mean ${prefix}${close}?`;
}

/** The word with each two neighbouring letters swapped in turn. */
function swaps(word: string): string[] {
  return Array.from(
    word.slice(1),
    (_, i) => word.slice(0, i) + word[i + 1] + word[i] + word.slice(i + 2),
  );
}

function nearest(word: string, known: readonly string[]): string | undefined {
  const near = closestMatch(word, [...known]);
  if (near === undefined) return undefined;
  const maxDistance = Math.floor(0.4 * Math.max(word.length, near.length));
  return closestMatch(word, [near], { maxDistance });
}

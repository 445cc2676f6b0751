import { closestMatch } from "leven";

/**
 * The end of a message about an unknown word: `, did you mean "train"?` with the nearest of the
 * known words, or nothing where none is near (more than 40 % of the longer word's letters differ).
 *
 * @param prefix Goes before the known word, for example `--`; quotes surround a word without prefix.
 */
export function suggestion(word: string, known: readonly string[], prefix = ""): string {
  const near = closestMatch(word, [...known]);
  if (near === undefined) return "";
  const close = closestMatch(word, [near], {
    maxDistance: Math.floor(0.4 * Math.max(word.length, near.length)),
  });
  if (close === undefined) return "";
  return prefix === "" ? `, did you mean "${close}"?` : `, did you mean ${prefix}${close}?`;
}

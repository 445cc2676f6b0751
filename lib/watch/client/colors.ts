/**
 * Colors of the page's style sheet, which follow the reader's light or dark scheme.
 *
 * @module
 */
import { Color } from "three";

/** Returns the text of a color variable of the style sheet. */
export function cssColor(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Returns a color variable of the style sheet for three.js. */
export function color(name: string): Color {
  return new Color(cssColor(name));
}

/** Calls a function now and whenever the scheme changes, until the signal is aborted. */
export function onScheme(apply: () => void, signal: AbortSignal): void {
  apply();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", apply, { signal });
}

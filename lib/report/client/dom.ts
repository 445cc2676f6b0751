/**
 * Finding and making elements of a page.
 *
 * @module
 */

/** Returns the element with an id of the page. */
export function byId<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Returns a new element with a class and a text. */
export function made(name: string, className: string, text = ""): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

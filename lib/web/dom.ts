/**
 * The parts of a browser that the page uses. Deno's types have no document.
 *
 * @module
 */
import type { FigureDocument } from "../report/plot.ts";

/** An element of the page. */
export interface PageElement {
  textContent: string;
  innerHTML: string;
  className: string;
  value: string;
  hidden: boolean;
  disabled: boolean;
  readonly clientWidth: number;
  readonly style: { width: string };
  setAttribute(name: string, value: string): void;
  removeAttribute(name: string): void;
  replaceChildren(...children: unknown[]): void;
  append(...children: unknown[]): void;
  addEventListener(type: string, listener: (event: { preventDefault(): void }) => void): void;
}

/** A browser's window. */
export interface Browser {
  readonly document: FigureDocument & {
    title: string;
    readonly hidden: boolean;
    getElementById(id: string): PageElement;
    createElement(name: string): PageElement;
  };
  readonly location: { readonly hash: string };
  readonly navigator: object;
  addEventListener(type: string, listener: () => void): void;
}

/** The browser in which this code runs. */
export const browser = globalThis as unknown as Browser;

/** Returns the element with an id of the page. */
export function byId(id: string): PageElement {
  return browser.document.getElementById(id);
}

/** Returns a new element with a class and a text. */
export function made(name: string, className: string, text = ""): PageElement {
  const element = browser.document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

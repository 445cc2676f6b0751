/**
 * Headless Chromium, for tests of pages.
 *
 * @module
 */
import type { Browser, Page } from "playwright-core";

/** Path of an installed Chromium or Chrome; null if there is none, or it may not be run. */
export const chromiumPath: string | null = findChromium();

/** Flags with which headless Chromium offers WebGPU on SwiftShader, its software GPU. */
export const webGpuFlags: readonly string[] = [
  "--enable-unsafe-webgpu",
  "--use-webgpu-adapter=swiftshader",
  "--enable-features=Vulkan",
];

/**
 * Defines a test that needs Chromium. It is ignored where Chromium is missing; `.ci/run` installs
 * it.
 *
 * @param flags How it uses the GPU; by default not at all.
 */
export function chromiumTest(
  name: string,
  fn: (browser: Browser) => Promise<void>,
  flags: readonly string[] = ["--disable-gpu"],
): void {
  Deno.test({
    name: chromiumPath === null ? `${name} (ignored: no Chromium is installed)` : name,
    ignore: chromiumPath === null,
    // Playwright keeps timers and pipes of its own after it has closed the browser.
    sanitizeOps: false,
    sanitizeResources: false,
    fn: async () => {
      const { chromium } = await import("playwright-core");
      const browser = await chromium.launch({
        executablePath: chromiumPath!,
        // Root, as in a container, may not use Chromium's sandbox.
        args: ["--no-sandbox", ...flags],
      });
      try {
        await fn(browser);
      } finally {
        await browser.close();
      }
    },
  });
}

/** Returns a list that receives a page's errors and its requests other than to `allowed`. */
export function problemsOf(page: Page, allowed: RegExp = /^(file|data):/): string[] {
  const problems: string[] = [];
  page.on("pageerror", (error) => problems.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") problems.push(message.text());
  });
  page.on("request", (request) => {
    if (!allowed.test(request.url())) problems.push(`request to ${request.url()}`);
  });
  return problems;
}

function findChromium(): string | null {
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    for (const folder of ["/usr/bin", "/usr/local/bin"]) {
      try {
        if (Deno.statSync(`${folder}/${name}`).isFile) return `${folder}/${name}`;
      } catch { /* not there, or not permitted */ }
    }
  }
  return null;
}

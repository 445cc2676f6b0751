/**
 * The built page and its worker in Chromium, for tests.
 *
 * @module
 */
import { assert } from "@std/assert";
import type { Browser, Page } from "playwright-core";
import type { Report, TaskRequest } from "../../lib/web/messages.ts";
import { problemsOf } from "../support/chromium.ts";
import { serveFolder } from "../support/static_server.ts";

/** An open page. */
export interface Site extends AsyncDisposable {
  /** The page. */
  readonly page: Page;
  /** Errors of the page and requests to other hosts. */
  readonly problems: readonly string[];
}

/** Builds the page, serves it and opens it. */
export async function openSite(browser: Browser): Promise<Site> {
  const folder = await Deno.makeTempDir();
  const { buildWeb } = await import("../../tools/web.ts"); // esbuild reads environment variables.
  await buildWeb(folder);
  const server = serveFolder(folder);
  const page = await browser.newPage();
  await page.addInitScript(keepWorker);
  const problems = problemsOf(page, new RegExp(`^(data:|${server.url})`));
  await page.goto(server.url);
  return {
    page,
    problems,
    [Symbol.asyncDispose]: async () => {
      await page.close();
      await server[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Keeps the page's worker where {@linkcode reportsOf} finds it. */
function keepWorker(): void {
  const scope = globalThis as unknown as { Worker: typeof Worker; pageWorker?: Worker };
  scope.Worker = class extends Worker {
    constructor(...given: ConstructorParameters<typeof Worker>) {
      super(...given);
      scope.pageWorker = this;
    }
  };
}

/** Performs a task in the page's worker and returns what it reports. */
export async function reportsOf(page: Page, request: TaskRequest): Promise<Report[]> {
  page.setDefaultTimeout(0);
  const reports = await page.evaluate((request) =>
    new Promise<Report[]>((resolve) => {
      const reports: Report[] = [];
      const worker = (globalThis as unknown as { pageWorker: Worker }).pageWorker;
      const listen = ({ data }: MessageEvent<Report>) => {
        reports.push(data);
        if (data.kind !== "end" && data.kind !== "error") return;
        worker.removeEventListener("message", listen);
        resolve(reports);
      };
      worker.addEventListener("message", listen);
      worker.postMessage(request);
    }), request);
  const error = reports.find(({ kind }) => kind === "error");
  assert(error === undefined, JSON.stringify(error));
  return reports;
}

/** Returns a metric of every step of a part. */
export function metricOf(reports: readonly Report[], part: string, metric: string): number[] {
  return reports.flatMap((report) =>
    report.kind === "steps" && report.part === part
      ? report.rows.flatMap(({ metrics }) => metric in metrics ? [metrics[metric]!] : [])
      : []
  );
}

/** Returns the last table that was reported. */
export function tableOf(reports: readonly Report[]): readonly (readonly string[])[] {
  const found = reports.findLast((report) => report.kind === "table");
  assert(found?.kind === "table", "no table was reported");
  return found.table.rows;
}

/** Asserts that numbers agree relative to the expected ones. */
export function assertAgree(
  found: readonly number[],
  expected: readonly number[],
  relative: number,
): void {
  assert(found.length === expected.length, `${found.length} and ${expected.length} numbers`);
  found.forEach((value, i) => {
    const error = Math.abs(value - expected[i]!) / Math.abs(expected[i]!);
    assert(error <= relative, `number ${i}: ${value} instead of ${expected[i]}, off by ${error}`);
  });
}

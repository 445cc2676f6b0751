/** Returns what `body` prints to standard output. */
export async function printed(body: () => Promise<unknown>): Promise<string> {
  const lines: string[] = [];
  const { log } = console;
  console.log = (line: string) => lines.push(line);
  try {
    await body();
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

// Opens the page, runs the function calls of stdin in it, one JSON line each, and prints what they return.
import { createInterface } from "node:readline";
import { openPage } from "./chromium.mjs";

const { page, close } = await openPage(process.argv[2]);
await page.waitForFunction(() => "withFetch" in window);
for await (const line of createInterface({ input: process.stdin })) {
  const { name, args } = JSON.parse(line);
  console.log(JSON.stringify(await page.evaluate(([name, args]) => window[name](...args), [name, args])));
}
await close();

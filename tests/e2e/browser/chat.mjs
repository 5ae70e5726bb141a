// Fills in the form of the example app, once per line of stdin, and prints the answer that the page shows.
import { createInterface } from "node:readline";
import { openPage } from "./chromium.mjs";

const { page, close } = await openPage(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  const { tenant, way, prompt } = JSON.parse(line);
  await page.selectOption("select[name=tenant]", tenant);
  await page.selectOption("select[name=way]", way);
  await page.fill("textarea[name=prompt]", prompt);
  await page.click("button");
  await page.waitForSelector("output[data-done=true]");
  console.log(JSON.stringify(await page.textContent("output")));
  await page.reload();
}
await close();

// The system's own Chromium, with web security as everybody has it and without traffic of its own.
import { chromium } from "playwright-core";

const QUIET = ["--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"];
const UPDATES = ["--disable-component-update", "--disable-sync"];

export async function openPage(url) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: [...QUIET, ...UPDATES, ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
  });
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  return { page, close: () => browser.close() };
}

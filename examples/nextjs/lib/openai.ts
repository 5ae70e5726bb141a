import OpenAI from "openai";
import { tracedFetch } from "./traced-fetch";

/** The raw OpenAI SDK makes no spans. Its `fetch` does. */
export const openai = new OpenAI({ fetch: tracedFetch });

import { createOpenAI } from "@ai-sdk/openai";
import Anthropic from "@anthropic-ai/sdk";
import { embed, generateText, streamText } from "ai";
import OpenAI from "openai";
import { tracedFetch } from "./traced-fetch.ts";

const prompt = "When is electricity cleanest in Paris?";
const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const telemetry = { recordInputs: false, recordOutputs: false }; // or prompts and answers are on the spans

const { text } = await generateText({ model: openai("gpt-4o"), prompt, telemetry });
console.log(text);

for await (const piece of streamText({ model: openai("gpt-4o"), prompt, telemetry }).textStream)
  process.stdout.write(piece);

const { embedding } = await embed({ model: openai.embedding("text-embedding-3-small"), value: prompt, telemetry });
console.log(`\n${embedding.length} dimensions`);

// The Anthropic SDK makes its own spans.
const anthropic = new Anthropic();
const messages = [{ role: "user" as const, content: prompt }];
const message = await anthropic.messages.create({ model: "claude-sonnet-4-6", max_tokens: 1024, messages });
console.log(message.usage);

// The OpenAI SDK makes none: its fetch does, whatever is called.
const raw = new OpenAI({ fetch: tracedFetch });
const response = await raw.responses.create({ model: "gpt-4o", input: prompt });
console.log(response.output_text);
const options = { stream_options: { include_usage: true } };
const stream = raw.chat.completions.stream({ model: "gpt-4o", messages, ...options });
console.log(await stream.finalContent());
for await (const event of await raw.responses.create({ model: "gpt-4o", input: prompt, stream: true }))
  if (event.type === "response.output_text.delta") process.stdout.write(event.delta);
const { data } = await raw.embeddings.create({ model: "text-embedding-3-small", input: [prompt, "And in Oslo?"] });
console.log(`\n${data.length} embeddings`);

import { createAnthropic } from "@ai-sdk/anthropic";
import { createMistral } from "@ai-sdk/mistral";
import { createOpenAI } from "@ai-sdk/openai";
import type { LanguageModel } from "ai";

/** Base URLs as the providers' own SDKs read them; the AI SDK wants Anthropic's with the version in it. */
const anthropicUrl = process.env.ANTHROPIC_BASE_URL && `${process.env.ANTHROPIC_BASE_URL}/v1`;

const openai = createOpenAI({ baseURL: process.env.OPENAI_BASE_URL });
const anthropic = createAnthropic({ baseURL: anthropicUrl });
const mistral = createMistral({ baseURL: process.env.MISTRAL_BASE_URL });

/** Models of the AI SDK by the name that the form shows. */
export const models: Record<string, () => LanguageModel> = {
  openai: () => openai("gpt-4o"),
  anthropic: () => anthropic("claude-sonnet-4-6"),
  mistral: () => mistral("mistral-large-latest"),
};

export const embeddingModel = openai.embedding("text-embedding-3-small");

/**
 * The AI SDK makes spans only for calls that ask for them. Versions 5 and 6 put prompts and answers on them too, unless
 * told not to.
 */
export const telemetry = { isEnabled: true, recordInputs: false, recordOutputs: false };

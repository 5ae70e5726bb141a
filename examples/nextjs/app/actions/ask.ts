"use server";

import { openai } from "../../lib/openai";
import { withTenant } from "../../lib/tenant";

/** A Server Action with the raw OpenAI SDK. */
export async function ask(tenant: string, prompt: string): Promise<string> {
  return withTenant(tenant, async () => {
    const completion = await openai.chat.completions.create({
      model: "gpt-4o",
      messages: [{ role: "user", content: prompt }],
    });
    return completion.choices[0].message.content ?? "";
  });
}

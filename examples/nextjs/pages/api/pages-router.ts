import Anthropic from "@anthropic-ai/sdk";
import type { NextApiRequest, NextApiResponse } from "next";
import { withTenant } from "../../lib/tenant";

const anthropic = new Anthropic();

/** The same in the Pages Router. */
export default async function handler(request: NextApiRequest, response: NextApiResponse) {
  const { tenant, prompt } = request.body as { tenant: string; prompt: string };
  const message = await withTenant(tenant, () =>
    anthropic.messages.create({
      model: "claude-haiku-4-5",
      max_tokens: 1024,
      messages: [{ role: "user", content: prompt }],
    }),
  );
  response.send(message.content.map((part) => (part.type === "text" ? part.text : "")).join(""));
}

import Anthropic from "@anthropic-ai/sdk";
import { textStream } from "../../../lib/stream";
import { withTenant } from "../../../lib/tenant";

const anthropic = new Anthropic();

/** A stream of the raw Anthropic SDK. It makes its own spans; nothing is to be done. */
export async function POST(request: Request) {
  const { tenant, prompt } = await request.json();
  return withTenant(tenant, () => {
    const stream = anthropic.messages.stream({
      model: "claude-sonnet-4-6",
      max_tokens: 1024,
      messages: [{ role: "user", content: prompt }],
    });
    return textStream(
      (async function* () {
        for await (const event of stream)
          if (event.type === "content_block_delta" && event.delta.type === "text_delta") yield event.delta.text;
      })(),
    );
  });
}

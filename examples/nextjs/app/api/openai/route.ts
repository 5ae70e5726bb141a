import { openai } from "../../../lib/openai";
import { textStream } from "../../../lib/stream";
import { withTenant } from "../../../lib/tenant";

/** A stream of the raw OpenAI SDK. Without `include_usage` OpenAI does not say what a stream has used. */
export async function POST(request: Request) {
  const { tenant, prompt } = await request.json();
  return withTenant(tenant, async () => {
    const stream = await openai.chat.completions.create({
      model: "gpt-4o-mini",
      messages: [{ role: "user", content: prompt }],
      stream: true,
      stream_options: { include_usage: true },
    });
    return textStream(
      (async function* () {
        for await (const chunk of stream) yield chunk.choices[0]?.delta.content ?? "";
      })(),
    );
  });
}

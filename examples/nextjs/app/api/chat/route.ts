import { streamText } from "ai";
import { models, telemetry } from "../../../lib/models";
import { withTenant } from "../../../lib/tenant";

/** A stream of the AI SDK, from the provider that was chosen. */
export async function POST(request: Request) {
  const { tenant, prompt, provider } = await request.json();
  return withTenant(tenant, () => {
    const model = models[provider]();
    return streamText({ model, prompt, experimental_telemetry: telemetry }).toTextStreamResponse();
  });
}

import { streamText } from "ai";
import { models, telemetry } from "../../../lib/models";
import { withTenant } from "../../../lib/tenant";

export const runtime = "edge";

/** The same in the Edge runtime. */
export async function POST(request: Request) {
  const { tenant, prompt } = await request.json();
  return withTenant(tenant, () => {
    const model = models.openai();
    return streamText({ model, prompt, experimental_telemetry: telemetry }).toTextStreamResponse();
  });
}

import { embed } from "ai";
import { embeddingModel, telemetry } from "../../../lib/models";
import { withTenant } from "../../../lib/tenant";

/** An embedding of the AI SDK. */
export async function POST(request: Request) {
  const { tenant, prompt } = await request.json();
  return withTenant(tenant, async () => {
    const { embedding } = await embed({ model: embeddingModel, value: prompt, experimental_telemetry: telemetry });
    return new Response(`${embedding.length} dimensions`);
  });
}

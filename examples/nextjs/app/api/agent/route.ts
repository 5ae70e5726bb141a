import { generateText, stepCountIs, tool } from "ai";
import { z } from "zod";
import { models, telemetry } from "../../../lib/models";
import { withTenant } from "../../../lib/tenant";

const gridIntensity = tool({
  description: "Carbon intensity of electricity in a city, in gCO2e per kWh",
  inputSchema: z.object({ city: z.string() }),
  execute: async () => 41,
});

/** An agent of the AI SDK: two calls below one span that repeats their sum. */
export async function POST(request: Request) {
  const { tenant, prompt } = await request.json();
  return withTenant(tenant, async () => {
    const { text } = await generateText({
      model: models.openai(),
      prompt,
      tools: { gridIntensity },
      stopWhen: stepCountIs(3),
      experimental_telemetry: telemetry,
    });
    return new Response(text);
  });
}

import { registerOTel } from "@vercel/otel";
import { TenantSpanProcessor } from "./lib/tenant";

/** Next.js calls this once per runtime, Node.js and Edge. Where spans go is in the environment: see README.md. */
export function register() {
  registerOTel({
    serviceName: "carbon-chat",
    spanProcessors: ["auto", new TenantSpanProcessor()],
  });
}

import { OpenTelemetry } from "@ai-sdk/otel";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { registerTelemetry } from "ai";

// Loaded before the program, by `node --import`. Where spans go is in the environment.
const sdk = new NodeSDK({ serviceName: "carbon-script" });
sdk.start();
process.once("beforeExit", () => sdk.shutdown()); // sends what is left

// Without this line AI SDK 7 sends nothing; with it, every call has spans. `usage` adds the reasoning tokens.
registerTelemetry(new OpenTelemetry({ usage: true }));

// What a page does that sends OTLP: with the web SDK, in both encodings, and with fetch alone.
import { SpanKind } from "@opentelemetry/api";
import { OTLPTraceExporter as JsonExporter } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { WebTracerProvider } from "@opentelemetry/sdk-trace-web";

const CALL = {
  "gen_ai.operation.name": "chat",
  "gen_ai.provider.name": "openai",
  "gen_ai.request.model": "gpt-4o-mini",
  "gen_ai.usage.input_tokens": 1200,
  "gen_ai.usage.output_tokens": 345,
};

/** Send one call; false when the exporter gave up. */
window.withSdk = async (endpoint, encoding, headers = {}) => {
  const Exporter = encoding === "json" ? JsonExporter : ProtobufExporter;
  const exporter = new Exporter({ url: `${endpoint}/v1/traces`, headers, timeoutMillis: 2000 });
  const sent = new Promise((resolve) => {
    const send = exporter.export.bind(exporter);
    exporter.export = (spans, done) => send(spans, (result) => (done(result), resolve(result.code === 0)));
  });
  const provider = new WebTracerProvider({
    resource: resourceFromAttributes({ "service.name": `page-${encoding}` }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  provider.getTracer("page").startSpan("chat gpt-4o-mini", { kind: SpanKind.CLIENT, attributes: CALL }).end();
  return sent;
};

/** Send any body; what the page could read of the answer, or the name of the error that it got instead. */
window.withFetch = async (endpoint, body, init = {}) => {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(`${endpoint}/v1/traces`, { method: "POST", headers, body, ...init });
    return { status: response.status, text: await response.text() };
  } catch (error) {
    return { error: error.name };
  }
};

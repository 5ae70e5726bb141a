import { context, type Span, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";

const tracer = trace.getTracer("traced-fetch");
const OPERATIONS: Record<string, string> = { completions: "chat", responses: "chat", embeddings: "embeddings" };

/**
 * A `fetch` for `new OpenAI({ fetch: tracedFetch })`: one GenAI span per request, with what the provider counted.
 *
 * It stands below the SDK, so it works with every version of it, with `parse()` and `stream()`, in every runtime and
 * however Next.js bundles it. No prompt and no answer is put on the span.
 */
export const tracedFetch: typeof fetch = async (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input);
  const operation = OPERATIONS[url.pathname.split("/").at(-1) ?? ""];
  const asked = operation && typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
  if (!asked?.model) return fetch(input, init);

  const span = tracer.startSpan(`${operation} ${asked.model}`, {
    kind: SpanKind.CLIENT,
    attributes: {
      "gen_ai.operation.name": operation,
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": asked.model,
      "server.address": url.hostname,
    },
  });
  try {
    const response = await context.with(trace.setSpan(context.active(), span), () => fetch(input, init));
    if (!response.ok || !response.body) return end(span, response, String(response.status));
    const [app, copy] = response.body.tee(); // the application is not kept waiting
    void read(span, copy, response.headers.get("content-type") ?? "");
    return new Response(app, response);
  } catch (error) {
    end(span, undefined, String(error));
    throw error;
  }
};

/** Read the answer beside the application: one JSON document, or one for each event of a stream. */
async function read(span: Span, body: ReadableStream<Uint8Array>, contentType: string): Promise<void> {
  let pending = "";
  const isStream = contentType.startsWith("text/event-stream");
  try {
    const decoder = new TextDecoder();
    for (const reader = body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      pending += decoder.decode(value, { stream: true });
      if (!isStream) continue;
      const lines = pending.split("\n");
      pending = lines.pop() ?? "";
      for (const line of lines) if (/^data: *\{/.test(line)) note(span, JSON.parse(line.slice(5)));
    }
    if (!isStream) note(span, JSON.parse(pending));
  } catch {
    // Cut off by the application or the network: the call was made, and how much it used is not known.
  }
  end(span);
}

/** Put on the span what a document of the Chat Completions, Responses or Embeddings API says about the call. */
function note(span: Span, document: any): void {
  const { id, model, usage } = document.response ?? document;
  if (id) span.setAttribute("gen_ai.response.id", id);
  if (model) span.setAttribute("gen_ai.response.model", model);
  if (!usage) return;
  const counts = {
    "gen_ai.usage.input_tokens": usage.input_tokens ?? usage.prompt_tokens,
    "gen_ai.usage.output_tokens": usage.output_tokens ?? usage.completion_tokens,
    "gen_ai.usage.cache_read.input_tokens": (usage.input_tokens_details ?? usage.prompt_tokens_details)?.cached_tokens,
    "gen_ai.usage.reasoning.output_tokens": (usage.output_tokens_details ?? usage.completion_tokens_details)
      ?.reasoning_tokens,
  };
  for (const [key, count] of Object.entries(counts)) if (typeof count === "number") span.setAttribute(key, count);
}

function end<T>(span: Span, value?: T, error?: string): T {
  if (error) {
    span.setAttribute("error.type", error);
    span.setStatus({ code: SpanStatusCode.ERROR, message: error });
  }
  span.end();
  return value as T;
}

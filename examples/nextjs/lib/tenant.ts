import { context, createContextKey, type Context, type Span } from "@opentelemetry/api";

const TENANT = createContextKey("otel_carbon.tenant");

/** Account everything that `work` starts to this tenant. Take the tenant from the session, never from the caller. */
export function withTenant<T>(tenant: string, work: () => T): T {
  return context.with(context.active().setValue(TENANT, tenant), work);
}

/**
 * Writes the tenant on every span below `withTenant`.
 *
 * W3C baggage would do as well, but it is sent along: the Anthropic SDK puts it in a header of each request.
 */
export class TenantSpanProcessor {
  onStart(span: Span, parent: Context): void {
    const tenant = parent.getValue(TENANT);
    if (typeof tenant === "string") span.setAttribute("otel_carbon.tenant", tenant);
  }

  onEnd(): void {}
  async forceFlush(): Promise<void> {}
  async shutdown(): Promise<void> {}
}

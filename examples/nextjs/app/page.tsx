"use client";

import { type FormEvent, useState } from "react";
import { ask } from "./actions/ask";

const TENANTS = ["acme", "globex", "initech"];
const WAYS: Record<string, { label: string; path?: string; provider?: string }> = {
  action: { label: "OpenAI SDK · Server Action" },
  openai: { label: "OpenAI SDK · streaming route", path: "/api/openai" },
  anthropic: { label: "Anthropic SDK · streaming route", path: "/api/anthropic" },
  pages: { label: "Anthropic SDK · Pages Router", path: "/api/pages-router" },
  aiOpenai: { label: "AI SDK · OpenAI", path: "/api/chat", provider: "openai" },
  aiAnthropic: { label: "AI SDK · Anthropic", path: "/api/chat", provider: "anthropic" },
  aiMistral: { label: "AI SDK · Mistral", path: "/api/chat", provider: "mistral" },
  edge: { label: "AI SDK · Edge runtime", path: "/api/edge" },
  agent: { label: "AI SDK · agent with a tool", path: "/api/agent" },
  embed: { label: "AI SDK · embedding", path: "/api/embed" },
};

export default function Page() {
  const [answer, setAnswer] = useState("");
  const [isBusy, setIsBusy] = useState(false);

  async function send(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const [tenant, way, prompt] = ["tenant", "way", "prompt"].map((name) => String(form.get(name)));
    setAnswer("");
    setIsBusy(true);
    try {
      await answerTo(tenant, WAYS[way], prompt, (piece) => setAnswer((before) => before + piece));
    } catch (error) {
      setAnswer(String(error));
    } finally {
      setIsBusy(false);
    }
  }

  return (
    <main>
      <h1>
        Carbon chat <small>every call of every SDK, counted once</small>
      </h1>
      <form onSubmit={send}>
        <label>
          Tenant
          <select name="tenant">
            {TENANTS.map((tenant) => (
              <option key={tenant}>{tenant}</option>
            ))}
          </select>
        </label>
        <label>
          Way
          <select name="way">
            {Object.entries(WAYS).map(([name, { label }]) => (
              <option key={name} value={name}>
                {label}
              </option>
            ))}
          </select>
        </label>
        <label className="wide">
          Prompt
          <textarea name="prompt" rows={3} required defaultValue="When is electricity cleanest in Paris?" />
        </label>
        <button disabled={isBusy}>{isBusy ? "Asking…" : "Ask"}</button>
      </form>
      <output aria-live="polite" data-done={!isBusy && answer !== ""}>
        {answer || "The answer comes here; its footprint is in the ledger a few seconds later."}
      </output>
    </main>
  );
}

async function answerTo(
  tenant: string,
  way: { path?: string; provider?: string },
  prompt: string,
  show: (piece: string) => void,
): Promise<void> {
  if (!way.path) return show(await ask(tenant, prompt));
  const response = await fetch(way.path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ tenant, prompt, provider: way.provider }),
  });
  if (!response.ok || !response.body) throw new Error(`${way.path} answered ${response.status}`);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) show(part.value);
}

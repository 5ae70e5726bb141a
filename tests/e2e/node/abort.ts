// A stream that the application leaves after its first piece: the server here would never end it.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI from "openai";
import { tracedFetch } from "./traced-fetch.ts";

const piece = { id: "chatcmpl-1", model: "gpt-4o", choices: [{ index: 0, delta: { content: "At noon" } }] };
const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(`data: ${JSON.stringify(piece)}\n\n`);
});
server.listen(0, "127.0.0.1", async () => {
  const { port } = server.address() as AddressInfo;
  const openai = new OpenAI({ apiKey: "none", baseURL: `http://127.0.0.1:${port}/v1`, fetch: tracedFetch });
  const messages = [{ role: "user" as const, content: "When?" }];
  const stream = await openai.chat.completions.create({ model: "gpt-4o", messages, stream: true });
  for await (const chunk of stream) {
    console.log(chunk.choices[0].delta.content);
    break;
  }
  server.closeAllConnections();
  server.close();
});

// One scenario of the `openai` npm package against a server: `node client.mjs '{"scenario", "base", "model", ...}'`.
// Prints one JSON document: what the client returned, or `{"raised": class, "status", "code", "message"}`.
import OpenAI from "openai";
import { zodResponseFormat } from "openai/helpers/zod";
import { z } from "zod";

const order = JSON.parse(process.argv[2]);
const { model, tool } = order;
const messages = [{ role: "user", content: "Say hello" }];
const client = new OpenAI({ baseURL: order.base, apiKey: "sk-test", maxRetries: order.retries ?? 0 });
const Report = z.object({ title: z.string(), score: z.number().int(), mood: z.enum(["good", "bad"]) });

const joined = async (stream) => {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
};

const scenarios = {
  chat: () => client.chat.completions.create({ model, messages, max_tokens: 5 }),
  chat_and_stream: async () => {
    const ask = { model, messages, max_tokens: 12, temperature: 0, seed: 4 };
    const whole = await client.chat.completions.create(ask);
    const options = { stream: true, stream_options: { include_usage: true } };
    return { whole, chunks: await joined(await client.chat.completions.create({ ...ask, ...options })) };
  },
  stream_helper: () =>
    client.chat.completions.stream({ model, messages, max_tokens: 200 }).finalChatCompletion(),
  completions: async () => {
    const ask = { model, prompt: "One", max_tokens: 6, temperature: 0 };
    return {
      whole: await client.completions.create(ask),
      chunks: await joined(await client.completions.create({ ...ask, stream: true })),
      list: await client.completions.create({ ...ask, prompt: ["One", "Two"] }),
    };
  },
  embeddings: async () => ({
    packed: await client.embeddings.create({ model, input: ["robot", "other"] }),
    plain: await client.embeddings.create({ model, input: ["robot", "other"], encoding_format: "float" }),
  }),
  models: async () => {
    const ids = [];
    for await (const each of client.models.list()) ids.push(each.id);
    return { ids, got: (await client.models.retrieve(ids[0])).id };
  },
  tools: async () => {
    const ask = { model, messages, temperature: 0, tools: [tool], tool_choice: "required" };
    return {
      whole: await client.chat.completions.create(ask),
      streamed: await client.chat.completions.stream(ask).finalChatCompletion(),
    };
  },
  run_tools: async () => {
    const seen = [];
    const run = (values) => (seen.push(values), "sunny");
    const runnable = { type: "function", function: { ...tool.function, function: run, parse: JSON.parse } };
    const runner = client.chat.completions.runTools({ model, messages, tools: [runnable] });
    return { seen, text: await runner.finalContent() };
  },
  structured: async () => {
    const ask = { model, messages, response_format: zodResponseFormat(Report, "report") };
    const parsed = await client.chat.completions.parse(ask);
    const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
    return { parsed: parsed.choices[0].message.parsed, streamed: streamed.choices[0].message.parsed };
  },
  stream: async () => joined(await client.chat.completions.create({ model, messages, max_tokens: 4, stream: true })),
  missing_model: () => client.models.retrieve("nobody/knows-me"),
};

try {
  console.log(JSON.stringify(await scenarios[order.scenario]()));
} catch (error) {
  const { status, code, param, message } = error;
  console.log(JSON.stringify({ raised: error.constructor.name, status, code, param, message }));
}

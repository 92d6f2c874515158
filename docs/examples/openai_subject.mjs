// The `openai` npm package as a subject of `inferneo-contracts clients`: JSON lines over stdin and stdout.
//
//   npm install openai
//   inferneo-contracts clients --client inferneo --client "command:node docs/examples/openai_subject.mjs"
//
// Node looks for the package beside this file and above it, and in $NODE_PATH. The first line says who this is and what
// it claims to do; then each line that is read is a task, and each line that is written has one outcome for each
// repetition of it. docs/writing-a-law.md lists the fields of both.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { inspect } from "node:util";

const OpenAI = createRequire(import.meta.url)("openai");
const say = (document) => process.stdout.write(`${JSON.stringify(document)}\n`);
const pause = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000));

/** An exception as the laws see it; one that is not of the package's own family is a leak. */
function problem(error) {
  let kind = "leak";
  if (error instanceof OpenAI.APIConnectionTimeoutError) kind = "timeout";
  else if (error instanceof OpenAI.APIConnectionError) kind = "connection";
  else if (error instanceof OpenAI.APIError) kind = error.status ? "status" : "stream_error";
  else if (error instanceof OpenAI.OpenAIError) kind = "other";
  const { status = null, code = null } = error ?? {};
  const name = error?.constructor?.name ?? typeof error;
  return { kind, name, message: String(error?.message ?? error), status, code, shown: inspect(error, { depth: 4 }) };
}

/** One call: what came piece by piece is kept, whatever ends it. */
async function once(client, task, logged) {
  const chat = task.what === "chat";
  const outcome = { pieces: [], finish: null, values: {}, problem: null };
  const started = performance.now();
  const left = new AbortController();
  const choice = (text, finish) => {
    if (text) outcome.pieces.push(text);
    if (finish) outcome.finish = finish;
  };
  const create = (body) => (chat ? client.chat.completions : client.completions).create(body, { signal: left.signal });
  const asked = chat ? { messages: [{ role: "user", content: task.text }] } : { prompt: task.text };
  const body = { model: task.model, ...asked, ...(task.stream ? { stream: true } : {}), ...task.arguments };
  const work = async () => {
    if (task.what === "models") {
      outcome.values.ids = [];
      for await (const model of client.models.list()) outcome.values.ids.push(model.id);
    } else if (task.stream) {
      for await (const chunk of await create(body)) {
        outcome.values.chunks = (outcome.values.chunks ?? 0) + 1;
        if (chunk.usage) outcome.values.usage = chunk.usage;
        for (const one of chunk.choices ?? []) {
          if (!one.index) choice(chat ? one.delta.content : one.text, one.finish_reason);
        }
        if (task.take !== null && outcome.pieces.length >= task.take) break;
      }
    } else {
      const answer = await create(body);
      const { id, object, created, model, usage = null } = answer;
      Object.assign(outcome.values, { id, object, created, model, usage, choices: answer.choices.length });
      const [first] = answer.choices;
      if (first) choice(chat ? first.message.content : first.text, first.finish_reason);
    }
  };
  // The package limits neither the time of a stream that has begun nor that of a Retry-After: a hang is told as such.
  const patience = 5 + task.timeout * (task.max_retries + 1) * 2;
  const message = `the call had not ended after ${patience} s`;
  const hang = { kind: "other", name: "Hang", message, shown: message };
  let alarm;
  const waited = new Promise((done) => { alarm = setTimeout(() => done(hang), patience * 1000); });
  outcome.problem = await Promise.race([work().then(() => null, problem), waited]);
  clearTimeout(alarm);
  left.abort();
  return { ...structuredClone(outcome), seconds: (performance.now() - started) / 1000, logged: logged.splice(0).join("\n") };
}

/** The task on a client of its own, as often as it says. */
async function perform(task) {
  const logged = [];
  const log = (...words) => logged.push(words.map((word) => inspect(word, { depth: 6 })).join(" "));
  const client = new OpenAI({
    baseURL: `${task.url}/v1`,
    apiKey: task.api_key ?? "none",
    timeout: task.timeout * 1000,
    maxRetries: task.max_retries,
    defaultHeaders: task.headers,
    logLevel: "debug",
    logger: { debug: log, info: log, warn: log, error: log },
  });
  const outcomes = [];
  for (let number = 0; number < task.times; number += 1) {
    if (number && task.pause) await pause(task.pause);
    outcomes.push(await once(client, task, logged));
  }
  return outcomes;
}

const usual = {
  what: "chat", stream: false, model: "m", text: "Say hello", arguments: {}, timeout: 2, max_retries: 0,
  api_key: "sk-task-0001", headers: {}, take: null, times: 1, pause: 0,
};
let stray = null;
process.on("unhandledRejection", (error) => { stray = error; });

say({ name: "openai-node", abilities: ["family", "models", "retries"] });
for await (const line of createInterface({ input: process.stdin })) {
  const outcomes = await perform({ ...usual, ...JSON.parse(line) });
  // What nobody could catch is a leak of the last call.
  if (stray !== null) outcomes.at(-1).problem = { ...problem(stray), kind: "leak" };
  stray = null;
  say({ outcomes });
}

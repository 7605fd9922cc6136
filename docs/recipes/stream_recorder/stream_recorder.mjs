// Write down when each chunk of a streamed answer arrived, how large it was and of what kind. No text is written.
//
//   import { Recorder } from "./stream_recorder.mjs";
//   const recorder = new Recorder("streams.jsonl", { provider: "openai", region: "eu-west-1", version: "before" });
//   const watch = recorder.watch({ promptId: "p-017", model: "gpt-4o" });      // before the request is sent
//   for await (const chunk of watch.events(await client.chat.completions.create({ ..., stream: true }))) { ... }
//
// Events of OpenAI's chat completions and responses and of Anthropic's messages, as their SDKs give them, or the body of
// a fetch: watch.sse(response.body). Node 18 or newer and nothing else. Give the file to Trueup: see README.md.

import { createHash, randomUUID } from "node:crypto";
import { appendFileSync } from "node:fs";

const ENDS = /[.!?…\u3002\uff01\uff1f\n] *$/;

export class Recorder {
  // count: tokens of a text; without it only what the provider reports is known, which is enough for tokens a chunk.
  // span: a function that gives {traceId, spanId} of the span that is open, such as () => trace.getActiveSpan()?.spanContext().
  constructor(path, { provider, model = "", region = "", version = "", serviceName = "", count = null, span = null }) {
    this.path = path;
    this.same = { provider, model, region, version, service_name: serviceName };
    this.count = count;
    this.span = span;
  }

  // Call it before the request: times count from here. Of a prompt its hash becomes the prompt's id.
  watch({ promptId = "", prompt = "", model = "" } = {}) {
    const id = promptId || (prompt && createHash("sha256").update(prompt).digest("hex").slice(0, 16));
    return new Watch(this, id, model);
  }

  write(row) {
    const kept = Object.entries(row).filter(([, value]) => value !== undefined && value !== null && value !== "");
    appendFileSync(this.path, JSON.stringify(Object.fromEntries(kept)) + "\n");
  }
}

class Watch {
  constructor(recorder, promptId, model) {
    const span = recorder.span?.() ?? {};
    this.recorder = recorder;
    this.began = performance.now();
    this.row = {
      stream_id: randomUUID().replaceAll("-", ""), at: new Date().toISOString(), ...recorder.same, prompt_id: promptId,
      trace_id: span.traceId, span_id: span.spanId,
    };
    if (model) this.row.model = model;
    this.chunks = [];
  }

  // Events as objects; handed on as they came.
  async *events(stream) {
    try {
      for await (const event of stream) {
        this.see(event);
        yield event;
      }
    } finally { // also when the reader leaves, or the stream breaks
      this.close();
    }
  }

  // The body of a fetch of server-sent events, as parsed events.
  async *sse(body) {
    yield* this.events(parsed(body));
  }

  see(event) {
    const at = Math.round((performance.now() - this.began) * 1000) / 1000;
    for (const [kind, text] of [...openaiChat(event, this.row), ...openaiResponses(event, this.row), ...anthropic(event, this.row)]) {
      if (!text) continue;
      this.chunks.push({ at, text: text.length, tokens: this.recorder.count?.(text), kind, end: kind === "text" && ENDS.test(text) ? 1 : 0 });
    }
  }

  close() {
    if (!this.chunks.length) return; // an answer that never came is for traces to tell
    const { chunks, row } = this;
    this.chunks = [];
    this.recorder.write({
      ...row, model: row.model || row.response_model, t_ms: chunks.map((one) => one.at), chars: chunks.map((one) => one.text),
      tokens: this.recorder.count ? chunks.map((one) => one.tokens) : undefined, kind: chunks.map((one) => one.kind),
      sentence_end: chunks.map((one) => one.end),
    });
  }
}

async function* parsed(body) {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const bytes of body) {
    rest += decoder.decode(bytes, { stream: true });
    const lines = rest.split("\n");
    rest = lines.pop();
    for (const line of lines) {
      const text = line.trim();
      if (text.startsWith("data:") && text.slice(5).trim() !== "[DONE]") yield JSON.parse(text.slice(5));
    }
  }
}

function put(row, found) {
  for (const [name, value] of Object.entries(found)) if (value !== undefined && value !== null) row[name] = value;
}

function* openaiChat(event, row) {
  if (!event.choices) return;
  const { usage } = event;
  put(row, {
    response_id: event.id, response_model: event.model, output_tokens: usage?.completion_tokens,
    reasoning_tokens: usage?.completion_tokens_details?.reasoning_tokens,
  });
  for (const { delta = {}, finish_reason } of event.choices.slice(0, 1)) {
    put(row, { finish_reason });
    yield ["reasoning", delta.reasoning_content ?? delta.reasoning ?? ""];
    yield ["text", delta.content ?? ""];
    for (const call of delta.tool_calls ?? []) yield ["tool_call", (call.function?.name ?? "") + (call.function?.arguments ?? "")];
  }
}

function* openaiResponses(event, row) {
  const name = String(event.type ?? "");
  if (!name.startsWith("response.")) return;
  const { response, item, delta } = event;
  if (response) {
    put(row, {
      response_id: response.id, response_model: response.model, finish_reason: name === "response.completed" ? "stop" : null,
      output_tokens: response.usage?.output_tokens, reasoning_tokens: response.usage?.output_tokens_details?.reasoning_tokens,
    });
  }
  if (name === "response.output_item.added" && item?.type === "function_call") yield ["tool_call", item.name ?? ""];
  if (name.endsWith(".delta") && typeof delta === "string") {
    yield [name.includes("reasoning") ? "reasoning" : name.includes("arguments") ? "tool_call" : "text", delta];
  }
}

function* anthropic(event, row) {
  const { type, message, delta, usage, content_block: block } = event;
  if (type === "message_start") put(row, { response_id: message?.id, response_model: message?.model });
  else if (type === "message_delta") put(row, { finish_reason: delta?.stop_reason, output_tokens: usage?.output_tokens });
  else if (type === "content_block_start" && block?.type === "tool_use") yield ["tool_call", block.name ?? ""];
  else if (type === "content_block_delta") {
    yield ["text", delta?.text ?? ""];
    yield ["reasoning", delta?.thinking ?? ""];
    yield ["tool_call", delta?.partial_json ?? ""];
  }
}

// What programs see that use the libraries of OpenAI and Anthropic, by each API of the appliance: a
// tool call, its result, the answer, and a prompt that is too long. Prints one JSON object.
import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

const [address, apiKey, model] = process.argv.slice(2);
const openai = new OpenAI({ baseURL: address + "/v1", apiKey, maxRetries: 0 });
const anthropic = new Anthropic({ baseURL: address, apiKey, maxRetries: 0 });

const call = 'Call: list {"path":"/tmp"}';
const parameters = { type: "object", properties: { path: { type: "string" } }, required: ["path"] };
const tooLong = "7 3 9 1 ".repeat(20000);

// failure runs a request that must fail and returns what the library reports.
async function failure(request) {
  try {
    await request();
    return { name: "it succeeded" };
  } catch (error) {
    return { name: error.constructor.name, status: error.status, message: error.message };
  }
}

async function chat() {
  const tools = [{ type: "function", function: { name: "list", parameters } }];
  const messages = [{ role: "user", content: call }];
  const first = await openai.chat.completions.stream({ model, messages, tools, max_tokens: 60 }).finalChatCompletion();
  const said = first.choices[0].message;
  const made = said.tool_calls[0];
  messages.push(said, { role: "tool", tool_call_id: made.id, content: "a.txt" });
  const second = await openai.chat.completions.create({ model, messages, tools, max_tokens: 4 });
  return {
    call: made.function, reason: first.choices[0].finish_reason, text: second.choices[0].message.content,
    tooLong: await failure(() => openai.chat.completions.create({ model, messages: [{ role: "user", content: tooLong }], stream: true })),
  };
}

async function responses() {
  const tools = [{ type: "function", name: "list", parameters, strict: false }];
  const input = [{ role: "user", content: call }];
  const first = await openai.responses.stream({ model, input, tools, max_output_tokens: 60 }).finalResponse();
  const made = first.output.find((item) => item.type === "function_call");
  input.push(...first.output, { type: "function_call_output", call_id: made.call_id, output: "a.txt" });
  const second = await openai.responses.create({ model, input, tools, max_output_tokens: 4 });
  return {
    call: { name: made.name, arguments: made.arguments }, reason: first.status, text: second.output_text,
    tooLong: await failure(() => openai.responses.create({ model, input: tooLong, stream: true })),
  };
}

async function messages() {
  const tools = [{ name: "list", input_schema: parameters }];
  const messages = [{ role: "user", content: call }];
  const first = await anthropic.messages.stream({ model, messages, tools, max_tokens: 60 }).finalMessage();
  const made = first.content.find((block) => block.type === "tool_use");
  messages.push({ role: "assistant", content: first.content }, { role: "user", content: [{ type: "tool_result", tool_use_id: made.id, content: "a.txt" }] });
  const second = await anthropic.messages.create({ model, messages, tools, max_tokens: 4 });
  const counted = await anthropic.messages.countTokens({ model, messages, tools });
  return {
    call: { name: made.name, arguments: JSON.stringify(made.input) }, reason: first.stop_reason, text: second.content[0].text,
    counted: counted.input_tokens > 0,
    tooLong: await failure(() => anthropic.messages.create({ model, messages: [{ role: "user", content: tooLong }], max_tokens: 4, stream: true })),
  };
}

console.log(JSON.stringify({ chat: await chat(), responses: await responses(), messages: await messages() }));

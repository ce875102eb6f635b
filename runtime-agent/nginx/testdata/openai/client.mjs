// What a program that uses OpenAI's own library sees. Prints one JSON object.
import OpenAI from "openai";

const [baseURL, apiKey, model] = process.argv.slice(2);
const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];

const chat = await client.chat.completions.create({ model, messages, max_tokens: 4 });

const pieces = [];
const stream = await client.chat.completions.create({ model, messages, max_tokens: 4, stream: true });
for await (const chunk of stream) {
  const text = chunk.choices[0]?.delta?.content;
  if (text) pieces.push(text);
}

const models = [];
for await (const entry of await client.models.list()) models.push(entry.id);

// failure runs a request that must fail and returns what the library reports.
async function failure(request) {
  try {
    await request();
    return "it succeeded";
  } catch (error) {
    return { name: error.constructor.name, status: error.status, code: error.code, type: error.type };
  }
}
const stranger = new OpenAI({ baseURL, apiKey: apiKey + "x", maxRetries: 0 });

console.log(JSON.stringify({
  chat: chat.choices[0].message.content,
  pieces,
  models,
  model: (await client.models.retrieve(model)).id,
  wrongKey: await failure(() => stranger.models.list()),
  embeddings: await failure(() => client.embeddings.create({ model, input: "hello" })),
}));

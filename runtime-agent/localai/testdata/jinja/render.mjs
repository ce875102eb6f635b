// Reads {"template", "histories": [{"messages", "tools"}]} from standard input and writes a list with, for each
// history, {"text"} or {"error"}: the prompt that a chat template makes of it, or why it refuses.
import { readFileSync } from "node:fs";
import { Template } from "@huggingface/jinja";

const { template, histories } = JSON.parse(readFileSync(0, "utf8"));
const parsed = new Template(template);
const render = (history) => {
  try {
    return { text: parsed.render({ ...history, bos_token: "<s>", eos_token: "</s>" }) };
  } catch (error) {
    return { error: error.message };
  }
};
process.stdout.write(JSON.stringify(histories.map(render)));

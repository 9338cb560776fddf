// The Vercel AI SDK with its two default providers: Responses for OpenAI's, Messages for Anthropic's.
// Usage: node ai_sdk.mjs openai|anthropic BASE_URL MODEL FILE
import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, stepCountIs, streamText, tool } from "ai";
import { readFile, writeFile } from "node:fs/promises";
import { z } from "zod";

const [, , vendor, base, name, file] = process.argv;
const key = { apiKey: "unused" };
const model =
  vendor === "openai" ? createOpenAI({ baseURL: `${base}/v1`, ...key })(name) : createAnthropic({ baseURL: `${base}/v1`, ...key })(name);
const tools = {
  write_file: tool({
    description: "Write a file",
    inputSchema: z.object({ text: z.string() }),
    execute: async ({ text }) => (await writeFile(file, text), "written"),
  }),
  read_file: tool({ description: "Read the file", inputSchema: z.object({}), execute: async () => await readFile(file, "utf8") }),
};
const prompt = '[[call:write_file {"text": "four"}]] [[call:read_file {}]] Reply with exactly: finished';
const options = { model, tools, prompt, stopWhen: stepCountIs(5) };

const whole = await generateText(options);
const stream = streamText(options);
const text = await stream.text;
const usage = await stream.totalUsage;
// A second turn after an assistant's text: OpenAI's provider refers to that text by its id.
const messages = [{ role: "user", content: "Hello" }, ...(await generateText({ model, prompt: "Hello" })).response.messages];
const second = await generateText({ model, messages: [...messages, { role: "user", content: "Reply with exactly: again" }] });
const results = { whole: whole.text, text, second: second.text, tokens: usage.totalTokens };
console.log(JSON.stringify(results));
process.exit(whole.text === "finished" && text === "finished" && second.text === "again" && usage.totalTokens > 0 ? 0 : 1);

import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { refusal } from "../testing/server";
import { AgentsPage } from "./AgentsPage";
import { agents, open } from "./testing";

const PUT = "PUT /api/v1/agent-profiles/banking";
const PROFILES = "GET /api/v1/agent-profiles";

const profile = {
  agent_type: "banking",
  name: "Bank",
  language: "en",
  languages: ["en", "hi"],
  voice: "",
  stt_provider: null,
  llm_provider: null,
  tts_provider: "fallback:cartesia,offline",
  serving: { stt: ["deepgram", "offline"], llm: ["anthropic"], tts: ["cartesia", "offline"] },
  trouble: null,
  updated_at: null,
  updated_by: null,
};

const providers = {
  stt: [
    { name: "deepgram", ready: true, why: "DEEPGRAM_API_KEY is set" },
    { name: "openai", ready: false, why: "OPENAI_API_KEY is not set" },
    { name: "offline", ready: true, why: "on this machine" },
  ],
  llm: [{ name: "anthropic", ready: true, why: "ANTHROPIC_API_KEY is set" }],
  tts: [{ name: "cartesia", ready: true, why: "CARTESIA_API_KEY is set" }],
};

const [bank] = agents;
const config = { ...bank, greeting: "Welcome to the bank.", tools: ["get_balance"] };
const told = (change: object = {}) => ({ body: { data: [{ ...profile, ...change }], providers } });

const start = (replies: Parameters<typeof open>[3] = {}) =>
  open("/admin/agents", <AgentsPage />, "/admin/agents", {
    "GET /api/agents/list": [
      { body: [{ ...bank, providers: { stt: "deepgram", llm: "anthropic", tts: "cartesia" } }] },
    ],
    "GET /api/agents/traffic": [{ body: [] }],
    "GET /api/agents/config/banking": [{ body: config }],
    [PROFILES]: [told()],
    ...replies,
  });

async function edit() {
  await userEvent.click(await screen.findByRole("button", { name: "Change Bank" }));
  return within(await screen.findByRole("dialog", { name: "Change Bank" }));
}

afterEach(() => vi.unstubAllGlobals());

test("an agent's card tells its language, and who serves it in which order", async () => {
  start();
  const card = within(await screen.findByRole("article", { name: "Bank" }));
  await card.findByText("deepgram, then offline");
  expect(card.getByText("cartesia, then offline")).toBeTruthy();
  expect(card.getByText("English")).toBeTruthy();
});

test("a language, a voice and vendors are chosen, and may be taken back", async () => {
  const after = { language: "hi", voice: "arushi", stt_provider: "deepgram" };
  const { asked } = start({ [PROFILES]: [told(), told(after)], [PUT]: [{ body: { ...profile, ...after } }] });
  const form = await edit();
  const options = within(form.getByLabelText("Speech to text")).getAllByRole<HTMLOptionElement>("option");
  expect(options.map(({ text, disabled }) => [text, disabled])).toEqual([
    ["As the server is set", false],
    ["deepgram", false],
    ["openai (OPENAI_API_KEY is not set)", true],
    ["offline", false],
  ]);
  expect(form.getByLabelText<HTMLSelectElement>("Text to speech").selectedOptions[0]?.text).toBe(
    "cartesia, then offline",
  );
  await userEvent.selectOptions(form.getByLabelText("Language"), "Hindi");
  await userEvent.selectOptions(form.getByLabelText("Speech to text"), "deepgram");
  await userEvent.type(form.getByLabelText("Voice"), " arushi ");
  await userEvent.click(form.getByRole("button", { name: "Save" }));
  await screen.findByText("Bank: this counts from the next call on.");
  const chosen = { llm_provider: null, tts_provider: profile.tts_provider, ...after };
  expect(asked.find(({ method }) => method === "PUT")?.body).toEqual(chosen);
  await screen.findByText("arushi");
  await userEvent.click(screen.getByRole("button", { name: "Undo" }));
  await screen.findByText("Bank is as it was.");
  expect(asked.filter(({ method }) => method === "PUT").at(-1)?.body).toEqual({
    ...chosen,
    language: "en",
    voice: "",
    stt_provider: null,
  });
});

test("what cannot be served is said in the dialog, which stays open as it was filled in", async () => {
  const words = "Speech to text: Nobody who is set up here can hear hi.";
  start({ [PUT]: [refusal(422, "language_not_offered", words)] });
  const form = await edit();
  await userEvent.selectOptions(form.getByLabelText("Language"), "Hindi");
  await userEvent.click(form.getByRole("button", { name: "Save" }));
  await form.findByText(words);
  expect(form.getByLabelText<HTMLSelectElement>("Language").value).toBe("hi");
  await userEvent.click(form.getByRole("button", { name: "Cancel" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
});

test("an agent nobody can call says why", async () => {
  const trouble = "Nobody who is set up here can hear hi: The offline recogniser does not hear hi, only English.";
  start({ [PROFILES]: [told({ language: "hi", trouble, serving: {} })] });
  await screen.findByText(trouble);
});

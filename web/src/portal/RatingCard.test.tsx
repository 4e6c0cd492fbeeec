import { screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, expect, test, vi } from "vitest";

import { open } from "../testing/open";
import { refusal, serve } from "../testing/server";
import { RatingCard } from "./RatingCard";

const route = "POST /api/v1/calls/call_1/rating";

afterEach(() => vi.unstubAllGlobals());

test("a rating goes with the call, its comment only where there is one", async () => {
  const asked = serve({ [route]: [{ status: 204 }] });
  open("/", <RatingCard callId="call_1" />);
  expect(screen.queryByRole("button")).toBeNull();
  await userEvent.click(screen.getByRole("radio", { name: /^4 ?of 5: Good$/ }));
  await userEvent.click(screen.getByRole("button", { name: "Send the rating" }));
  expect(await screen.findByText(/thank you/i)).toBe(document.activeElement);
  expect(asked.map(({ body }) => body)).toEqual([{ rating: 4 }]);
  expect(screen.queryByRole("button")).toBeNull();
});

test("it can be given anew, with a word", async () => {
  const asked = serve({ [route]: [{ status: 204 }] });
  open("/", <RatingCard callId="call_1" />);
  await userEvent.click(screen.getByRole("radio", { name: /^2 ?of 5: Not good$/ }));
  await userEvent.click(screen.getByRole("button", { name: "Send the rating" }));
  await screen.findByText(/thank you/i);
  await userEvent.click(screen.getByRole("radio", { name: /^5 ?of 5: Very good$/ }));
  expect(screen.queryByText(/thank you/i)).toBeNull();
  await userEvent.type(screen.getByRole("textbox", { name: /what was good/i }), " Quick. ");
  await userEvent.click(screen.getByRole("button", { name: "Send the rating" }));
  await screen.findByText(/thank you/i);
  expect(asked.at(-1)?.body).toEqual({ rating: 5, comment: "Quick." });
});

test("a refusal is told, and nothing that was written is lost", async () => {
  serve({ [route]: [refusal(500, "internal"), { status: 204 }] });
  open("/", <RatingCard callId="call_1" />);
  await userEvent.click(screen.getByRole("radio", { name: /^1 ?of 5: Bad$/ }));
  await userEvent.type(screen.getByRole("textbox", { name: /what was good/i }), "It did not hear me");
  await userEvent.click(screen.getByRole("button", { name: "Send the rating" }));
  await screen.findByText(/something went wrong on our side/i);
  await userEvent.click(screen.getByRole("button", { name: "Send the rating" }));
  await screen.findByText(/thank you/i);
});

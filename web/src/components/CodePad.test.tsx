import { MantineProvider } from "@mantine/core";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, test, vi } from "vitest";

import { CodePad } from "./CodePad";

function open(submit: (code: string) => Promise<string | null>, cancel = () => undefined) {
  render(
    <MantineProvider>
      <CodePad
        length={6}
        triesLeft={3}
        expiresAt={new Date(Date.now() + 180_000).toISOString()}
        submit={submit}
        cancel={cancel}
        cancelWords="do not send"
      />
    </MantineProvider>,
  );
}

const boxes = () => screen.getAllByLabelText<HTMLInputElement>("Code digit");
const press = (name: string) => userEvent.click(screen.getByRole("button", { name }));
const right = () => vi.fn((code: string) => Promise.resolve(code === "123456" ? null : "That code is not right."));

test("digits are typed, hidden, and handed in with the last one", async () => {
  const submit = right();
  open(submit);
  await userEvent.type(boxes()[0]!, "12345");
  expect(boxes().every(({ type }) => type === "password")).toBe(true);
  expect(submit).not.toHaveBeenCalled();
  await userEvent.keyboard("6");
  expect(submit.mock.calls).toEqual([["123456"]]);
});

test("a code is pasted as it was sent", async () => {
  const submit = right();
  open(submit);
  await userEvent.click(boxes()[3]!);
  await userEvent.paste(" 123 456\n");
  expect(submit.mock.calls).toEqual([["123456"]]);
});

test("what is pasted and is no code is not taken", async () => {
  const submit = right();
  open(submit);
  await userEvent.click(boxes()[0]!);
  await userEvent.paste("Code 123456");
  expect(
    boxes()
      .map(({ value }) => value)
      .join(""),
  ).toBe("");
  expect(submit).not.toHaveBeenCalled();
});

test("the keys on the screen do the same, with one to take back, and the keyboard works beside them", async () => {
  const submit = right();
  open(submit);
  for (const digit of ["1", "2", "9"]) await press(digit);
  await press("Delete a digit");
  await press("3");
  await userEvent.keyboard("45");
  await userEvent.keyboard("{Backspace}5");
  await press("6");
  expect(submit.mock.calls).toEqual([["123456"]]);
});

test("a wrong code is told and cleared away, and the first box waits for the next", async () => {
  open(right());
  await userEvent.type(boxes()[0]!, "000000");
  await waitFor(() => expect(screen.getByRole("alert").textContent).toBe("That code is not right."));
  expect(
    boxes()
      .map(({ value }) => value)
      .join(""),
  ).toBe("");
  expect(document.activeElement).toBe(boxes()[0]);
  expect(screen.getByRole("status").textContent).toBe("3 tries left");
});

test("nothing more is taken while a code is being checked", async () => {
  let answer: (value: null) => void = () => undefined;
  const submit = vi.fn(() => new Promise<null>((resolve) => (answer = resolve)));
  open(submit);
  await userEvent.type(boxes()[0]!, "123456");
  expect(screen.getByRole("status").textContent).toBe("Checking…");
  await userEvent.paste("654321");
  expect(submit).toHaveBeenCalledTimes(1);
  answer(null);
  await waitFor(() => expect(screen.getByRole("status").textContent).toBe("3 tries left"));
});

test("cancelling says what is then not done", async () => {
  const cancel = vi.fn();
  open(right(), cancel);
  await press("Cancel: do not send");
  expect(cancel).toHaveBeenCalledTimes(1);
});

import { Button, CopyButton, Group, ScrollArea, Stack, Text } from "@mantine/core";
import { IconCheck, IconCopy, IconDownload, IconPrinter } from "@tabler/icons-react";
import { useState } from "react";

import { counted, dayAndTime } from "../../components/format";
import type { Code } from "../types";
import { tailOf } from "./code";
import { codesCsv } from "./csv";
import classes from "./IssuedCodes.module.css";
import { PrintSheet } from "./PrintSheet";

/** Codes in clear, and the ways to take them along. */
export function IssuedCodes({ codes, done }: { codes: readonly Code[]; done: () => void }) {
  const [printing, setPrinting] = useState(false);
  const [first] = codes;
  const address = `${window.location.origin}/`;
  return (
    <Stack gap="md">
      <Text>
        Take them along now: they are not shown again.{" "}
        {first && (
          <>
            Each opens {counted(first.max_uses, "call")}
            {first.expires_at ? ` until ${dayAndTime(first.expires_at)}.` : "."}
          </>
        )}
      </Text>
      <ScrollArea.Autosize
        mah="min(22rem, 45dvh)"
        viewportProps={{ tabIndex: 0, role: "group", "aria-label": "New codes" }}
      >
        <ul className={classes.codes}>
          {codes.map((code) => (
            <li key={code.id}>
              {code.code}
              <span className={classes.tail}> · {tailOf(code)}</span>
            </li>
          ))}
        </ul>
      </ScrollArea.Autosize>
      <Group gap="xs" className="actions">
        <CopyButton value={codes.map(({ code }) => code).join("\n")} timeout={3_000}>
          {({ copied, copy }) => (
            <Button
              variant="default"
              leftSection={copied ? <IconCheck size={18} aria-hidden /> : <IconCopy size={18} aria-hidden />}
              onClick={copy}
            >
              {copied ? "Copied" : "Copy all"}
            </Button>
          )}
        </CopyButton>
        <Button
          variant="default"
          leftSection={<IconDownload size={18} aria-hidden />}
          onClick={() => download("codes.csv", codesCsv(codes, address))}
        >
          Download CSV
        </Button>
        <Button variant="default" leftSection={<IconPrinter size={18} aria-hidden />} onClick={() => setPrinting(true)}>
          Print
        </Button>
        <Button onClick={done} ml={{ sm: "auto" }}>
          Done
        </Button>
      </Group>
      {printing && <PrintSheet codes={codes} address={address} done={() => setPrinting(false)} />}
    </Stack>
  );
}

/** A byte order mark has spreadsheets read it as UTF-8. */
function download(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob(["\uFEFF", text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

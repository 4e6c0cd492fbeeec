import { Select } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";

import { codeQuery, codesQuery } from "../api";
import { nameOf, usesOf } from "../codes/code";
import type { Code } from "../types";
import type { Filters } from "../useFilters";

const OFFERED = 8;

/** Many codes may bear one label. */
const optionOf = (code: Code) => `${nameOf(code)}, ${usesOf(code)} used`;

/** One code of perhaps a thousand, found by its label. */
export function CodeFilter({ filters }: { filters: Filters }) {
  const chosen = filters.of("code");
  const [typed, setTyped] = useState("");
  const [search] = useDebouncedValue(typed.trim(), 300);
  const codes = useQuery(codesQuery(search ? { search } : {}, 1, OFFERED));
  const own = useQuery({ ...codeQuery(chosen), enabled: chosen !== "" });
  const offered = [...(own.data ? [own.data] : []), ...(codes.data?.codes ?? [])];
  const options = [...new Map(offered.map((code) => [code.id, { value: code.id, label: optionOf(code) }])).values()];
  if (chosen && !options.some(({ value }) => value === chosen)) options.unshift({ value: chosen, label: "One code" });
  return (
    <Select
      label="Code"
      placeholder="Every code"
      searchable
      withScrollArea={false}
      comboboxProps={{ width: "min(22rem, 90vw)", position: "bottom-start" }}
      clearable
      clearButtonProps={{ "aria-label": "Every code" }}
      data={options}
      // The server has searched already.
      filter={({ options }) => options}
      nothingFoundMessage={codes.isPending ? "Looking…" : "No code has such a label."}
      value={chosen || null}
      onChange={(value) => {
        filters.choose({ code: value ?? "" });
        setTyped("");
      }}
      onSearchChange={(text) => setTyped(options.some(({ label }) => label === text) ? "" : text)}
    />
  );
}

import { NativeSelect, TextInput } from "@mantine/core";

import { PERIOD_WORDS, PERIODS } from "./period";
import type { Filters } from "./useFilters";

/** What it puts into the address. */
export const PERIOD_NAMES = ["period", "since", "until"] as const;

/** A period, or the first and the last day. */
export function PeriodFilter({ filters }: { filters: Filters }) {
  const [period, since, until] = PERIOD_NAMES.map(filters.of) as [string, string, string];
  return (
    <>
      <NativeSelect
        label="Time"
        value={period}
        onChange={(event) => filters.choose({ period: event.currentTarget.value, since: "", until: "" })}
        data={[
          { value: "", label: "Any time" },
          ...PERIODS.map((value) => ({ value, label: PERIOD_WORDS[value] })),
          { value: "dates", label: "Choose dates" },
        ]}
      />
      {period === "dates" && (
        <>
          <TextInput
            type="date"
            label="From"
            value={since}
            max={until || undefined}
            onChange={(event) => filters.choose({ since: event.currentTarget.value }, { replace: true })}
          />
          <TextInput
            type="date"
            label="To"
            value={until}
            min={since || undefined}
            onChange={(event) => filters.choose({ until: event.currentTarget.value }, { replace: true })}
          />
        </>
      )}
    </>
  );
}

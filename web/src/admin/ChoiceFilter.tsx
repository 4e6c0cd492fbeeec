import { NativeSelect } from "@mantine/core";

import type { Filters } from "./useFilters";

interface ChoiceFilterProps {
  filters: Filters;
  name: string;
  label: string;
  /** What each choice is called. */
  choices: Record<string, string>;
}

/** One of a few choices, or every one. */
export function ChoiceFilter({ filters, name, label, choices }: ChoiceFilterProps) {
  return (
    <NativeSelect
      label={label}
      value={filters.of(name)}
      onChange={(event) => filters.choose({ [name]: event.currentTarget.value })}
      data={[
        { value: "", label: `Every ${label.toLowerCase()}` },
        ...Object.entries(choices).map(([value, label]) => ({ value, label })),
      ]}
    />
  );
}

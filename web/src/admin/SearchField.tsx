import { TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { IconSearch } from "@tabler/icons-react";
import { useState } from "react";

import type { Filters } from "./useFilters";

interface SearchFieldProps {
  filters: Filters;
  name: string;
  label: string;
  placeholder?: string;
  /** How many characters the server wants; fewer are not searched for. */
  least?: number;
  /** How many it takes. */
  most?: number;
  className?: string;
}

/** A word to search for; it is searched for when the typing rests. */
export function SearchField({ filters, name, label, placeholder, least = 1, most = 100, className }: SearchFieldProps) {
  const wanted = (text: string) => (text.trim().length < least ? "" : text.trim());
  const chosen = filters.of(name);
  const [text, setText] = useState(chosen);
  // Going back, and clearing, change the address without the field.
  const [seen, setSeen] = useState(chosen);
  if (chosen !== seen) {
    setSeen(chosen);
    if (chosen !== wanted(text)) setText(chosen);
  }
  const search = useDebouncedCallback(
    (value: string) => filters.choose({ [name]: wanted(value) }, { replace: true }),
    350,
  );
  return (
    <TextInput
      type="search"
      label={label}
      placeholder={placeholder}
      maxLength={most}
      leftSection={<IconSearch size={18} aria-hidden />}
      className={className}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value);
        search(event.currentTarget.value);
      }}
    />
  );
}

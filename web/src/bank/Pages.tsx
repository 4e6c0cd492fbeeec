import { Pagination } from "@mantine/core";

const CONTROLS = { first: "First page", previous: "Previous page", next: "Next page", last: "Last page" } as const;

/** The pages of a list; nothing where there is but one. */
export function Pages({ total, page, open }: { total: number; page: number; open: (page: number) => void }) {
  if (total <= 1) return null;
  return (
    <nav aria-label="Pages">
      <Pagination
        mt="md"
        total={total}
        value={page}
        onChange={open}
        siblings={0}
        boundaries={1}
        gap={4}
        size={44}
        getControlProps={(control) => ({ "aria-label": CONTROLS[control] })}
        getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
      />
    </nav>
  );
}

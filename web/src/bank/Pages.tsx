import { Group, Pagination, Text } from "@mantine/core";

/** The pages of a list; nothing where there is but one. A phone has no room for every number. */
export function Pages({ total, page, open }: { total: number; page: number; open: (page: number) => void }) {
  if (total <= 1) return null;
  return (
    <nav aria-label="Pages">
      <Pagination.Root
        mt="md"
        total={total}
        value={page}
        onChange={open}
        siblings={1}
        boundaries={1}
        size={44}
        styles={{ control: { fontSize: "var(--mantine-font-size-md)" } }}
        getItemProps={(number) => ({ "aria-label": `Page ${number}` })}
      >
        <Group gap={4}>
          <Pagination.Previous aria-label="Previous page" />
          <Group gap={4} visibleFrom="sm">
            <Pagination.Items />
          </Group>
          <Text px="sm" className="figures" hiddenFrom="sm">
            Page {page} of {total}
          </Text>
          <Pagination.Next aria-label="Next page" />
        </Group>
      </Pagination.Root>
    </nav>
  );
}

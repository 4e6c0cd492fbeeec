import { MantineProvider } from "@mantine/core";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { MemoryRouter, Route, Routes, useLocation } from "react-router";

import { createQueryClient } from "../api/queries";

/** Opens a page at its address; any other address shows itself. */
export function open(path: string, page: ReactNode, address = path, state: object | null = null): void {
  const queryClient = createQueryClient();
  queryClient.setDefaultOptions({ queries: { retry: false } });
  render(
    <MantineProvider>
      <QueryClientProvider client={queryClient}>
        <MemoryRouter
          initialEntries={[{ pathname: address.split("?")[0], search: address.split("?")[1] ?? "", state }]}
        >
          <Routes>
            <Route path={path} element={page} />
            <Route path="*" element={<Elsewhere />} />
          </Routes>
        </MemoryRouter>
      </QueryClientProvider>
    </MantineProvider>,
  );
}

function Elsewhere() {
  return <p>At {useLocation().pathname}</p>;
}

/** What tests of the operator's pages start from. */
import { createTheme, MantineProvider } from "@mantine/core";
import { notifications, Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { render } from "@testing-library/react";
import type { ReactNode } from "react";
import { MemoryRouter, Route, Routes, useLocation } from "react-router";
import { vi } from "vitest";

import { createQueryClient, type Me } from "../api/queries";
import { serve, type Asked } from "../testing/server";
import { AdminContext } from "./AdminContext";
import { LiveLine } from "./live";
import type { Call, Code, Numbers, System } from "./types";

// Browser features that the component library asks for and jsdom lacks: everything is as large as a chart there.
const RECT = { x: 0, y: 0, top: 0, left: 0, right: 640, bottom: 220, width: 640, height: 220 };
class Observer {
  observe() {}
  unobserve() {}
  disconnect() {}
}
window.ResizeObserver = Observer;
Object.assign(Element.prototype, {
  scrollIntoView: () => undefined,
  getBoundingClientRect: () => ({ ...RECT, toJSON: () => RECT }),
});

// A menu hides when its button is out of sight, as everything is in jsdom.
const theme = createTheme({ components: { Menu: { defaultProps: { hideDetached: false } } } });

export const me: Me = {
  id: "usr_1",
  role: "admin",
  name: "Ada Palmer",
  email: null,
  phone: null,
  kyc_status: null,
  customer_id: null,
  remaining_uses: null,
  offline_speech: false,
  second_factor: { totp: false, login_factor: null },
};

export const code: Code = {
  id: "otp_k3f9",
  code: null,
  label: "Fair",
  max_uses: 5,
  used: 2,
  remaining_uses: 3,
  created_at: "2026-01-01T00:00:00Z",
  created_by: "usr_1",
  expires_at: null,
  disabled: false,
  state: "active",
  last_used_at: null,
  budget_usd: null,
};

export const call: Call = {
  id: "call_1",
  agent_type: "banking",
  agent_name: "Bank",
  state: "closed",
  outcome: "completed",
  role: "otp",
  otp_id: "otp_k3f9",
  otp_label: "Fair",
  user_id: null,
  user_name: null,
  customer_id: "cus_1",
  channel: "webrtc",
  node: "one",
  started_at: "2026-01-01T10:00:00Z",
  connected_at: "2026-01-01T10:00:01Z",
  ended_at: "2026-01-01T10:01:01Z",
  seconds: 60,
  end_reason: "hung_up",
  turns: 2,
  answer_p50_ms: 800,
  cost_usd: 0.0123,
  unpriced: false,
  estimated: false,
  rating: 4,
  providers: { stt: "deepgram", llm: "anthropic", tts: "cartesia" },
};

export const numbers: Numbers = {
  accesses: 0,
  calls: 0,
  connected: 0,
  failed: 0,
  refused: 0,
  minutes: 0,
  cost_usd: 0,
  unpriced: false,
  turns: 0,
  answer_p50_ms: null,
  answer_p95_ms: null,
  answer_p99_ms: null,
  answered_share: null,
  rating_mean: null,
  ratings: 0,
};

export const system: System = {
  version: "0.1.0",
  environment: "development",
  node: "one",
  started_at: "2026-01-01T00:00:00Z",
  parts: [],
  seats: 8,
  seats_taken: 0,
  draining: false,
  lag_ms: 1,
  workers: [],
  sound: {
    late_packets: 3,
    inserted_ms: 40,
    concealed_ms: 1260,
    dropped_ms: 0,
    late_verdicts: 1,
    verdict_wait_ms: 31,
  },
  configuration: [],
  versions: {},
  default_passwords: [],
};

export const agents = [
  {
    id: "banking",
    name: "Bank",
    description: "",
    can_do: [],
    try_saying: [],
    available: true,
    language: "en",
    out_of_order: false,
    providers: {},
  },
];

export function pageOf<Item>(...data: Item[]) {
  return { body: { data, pagination: { page: 1, per_page: 25, total: data.length, pages: 1 } } };
}

interface Opened {
  asked: Asked[];
  /** Every address asked for, with its query. */
  urls: URL[];
  logOut: () => void;
}

/** Opens a page of an administrator's at its address; the address is shown below it. */
export function open(
  path: string,
  page: ReactNode,
  address: string,
  replies: Parameters<typeof serve>[0],
  line?: () => Response,
): Opened {
  const asked = serve(replies);
  const urls = listening(line);
  notifications.clean();
  const queryClient = createQueryClient();
  queryClient.setDefaultOptions({ queries: { retry: false } });
  const logOut = vi.fn();
  render(
    <MantineProvider theme={theme}>
      <QueryClientProvider client={queryClient}>
        <MemoryRouter initialEntries={[address]}>
          <AdminContext value={{ me, live: new LiveLine(), logOut }}>
            <Routes>
              <Route path={path} element={page} />
              <Route path="*" element={null} />
            </Routes>
          </AdminContext>
          <Where />
        </MemoryRouter>
        <Notifications />
      </QueryClientProvider>
    </MantineProvider>,
  );
  return { asked, urls, logOut };
}

/** @param line Answers for the stream of what goes on now. */
function listening(line?: () => Response): URL[] {
  const urls: URL[] = [];
  const answer = globalThis.fetch;
  vi.stubGlobal("fetch", (input: Request | string | URL, init?: RequestInit) => {
    const url = new URL(input instanceof Request ? input.url : input, window.location.origin);
    if (line && url.pathname === "/api/v1/live") return Promise.resolve(line());
    urls.push(url);
    return answer(input, init);
  });
  return urls;
}

export function Where() {
  const { pathname, search } = useLocation();
  return <p data-testid="where">{pathname + search}</p>;
}

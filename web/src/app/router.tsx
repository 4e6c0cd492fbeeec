import { createBrowserRouter } from "react-router";

import { AgentsPage } from "../portal/AgentsPage";
import { CodePage } from "../portal/CodePage";
import { PortalLayout } from "../portal/PortalLayout";
import { NotFoundPage, PageFault } from "./FaultPages";
import { Shell } from "./Shell";

export function createRouter() {
  return createBrowserRouter([
    {
      element: <Shell />,
      errorElement: <PageFault />,
      hydrateFallbackElement: <></>,
      children: [
        { index: true, element: <CodePage /> },
        {
          element: <PortalLayout />,
          children: [
            { path: "agents", element: <AgentsPage /> },
            {
              path: "agents/:agentId/ready",
              lazy: async () => ({ Component: (await import("../portal/ReadyPage")).ReadyPage }),
            },
            { path: "call/:agentId", lazy: async () => ({ Component: (await import("../call/CallPage")).CallPage }) },
            { path: "after", lazy: async () => ({ Component: (await import("../portal/AfterPage")).AfterPage }) },
          ],
        },
        { path: "*", element: <NotFoundPage /> },
      ],
    },
  ]);
}

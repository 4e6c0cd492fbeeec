import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds the server; the built pages are served by it.
const server = "http://127.0.0.1:8000";

export default defineConfig({
  plugins: [react()],
  resolve: {
    alias: {
      // The WebRTC transport imports Daily's call object for a media manager that fetches a script from a CDN.
      // No page of ours loads anything from another host, so that code is not in the bundle at all.
      "@daily-co/daily-js": fileURLToPath(new URL("src/call/no-daily.ts", import.meta.url)),
    },
  },
  build: {
    target: "es2022",
    // Data URLs would need a wider content security policy.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 700,
  },
  server: {
    proxy: Object.fromEntries(["/api", "/start", "/sessions"].map((path) => [path, server])),
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    setupFiles: ["src/test-setup.ts"],
    restoreMocks: true,
    server: { deps: { inline: ["@pipecat-ai/small-webrtc-transport"] } },
  },
});

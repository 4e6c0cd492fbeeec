import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import type { Plugin } from "vite";
import { defineConfig } from "vitest/config";

// Where `npm run dev` finds the server; the built pages are served by it.
const server = "http://127.0.0.1:8000";

const ours = (file: string) => fileURLToPath(new URL(`src/call/${file}`, import.meta.url));

export default defineConfig({
  plugins: [react(), noDefaultMedia()],
  resolve: {
    alias: {
      // The WebRTC transport imports Daily's call object for a media manager that fetches a script from a CDN.
      // No page of ours loads anything from another host, so that code is not in the bundle at all.
      "@daily-co/daily-js": ours("no-daily.ts"),
      // A call needs neither: together they are as large as half the code that holds it.
      bowser: ours("no-bowser.ts"),
      "lodash/cloneDeep": ours("clone-deep.ts"),
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
    testTimeout: 30_000,
    server: { deps: { inline: ["@pipecat-ai/small-webrtc-transport"] } },
  },
});

/**
 * The transport makes a media manager of its own where it is given none. It is given one (src/call/media.ts); without that
 * branch, which nothing takes, most of its code (recorders, audio worklets, Daily) is not in the bundle.
 */
function noDefaultMedia(): Plugin {
  const unused = [/(?<=opts\.mediaManager) \|\| new \(0, [\w$]+\)(?=\()/g, /^globalThis\.Wav\w+ = .*$/gm] as const;
  return {
    name: "parley:no-default-media",
    enforce: "pre",
    transform(code, id) {
      if (!id.includes("small-webrtc-transport/dist/index.module.js")) return null;
      if (!unused.every((part) => code.match(part))) this.error("The transport has changed, so must noDefaultMedia.");
      return { code: code.replace(unused[0], " ?? ((..._) => null)").replaceAll(unused[1], ""), map: null };
    },
  };
}

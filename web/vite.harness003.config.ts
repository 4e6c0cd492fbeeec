import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// What the document's snippets leave to the reader: where things come from, and who may use them.
const FRAMES: Record<string, [imports: string, exports: string]> = {
  "admin-login.js": ['import axios from "axios";', "export { loginAdmin };"],
  "otp-login.js": ["", "export { loginWithOTP };"],
  "fetch-otps.js": ['import { api } from "../api";', "export { fetchOTPs };"],
  "generate-otps.js": ['import { api } from "../api";', "export { generateOTPs };"],
  "update-otp.js": ['import { api } from "../api";', "export { updateOTP };"],
  "fetch-agent-traffic.js": ['import { api } from "../api";', "export { fetchAgentTraffic };"],
};

// Source 003's React code as a page, for tests; whoever serves it puts the server's address for http://localhost:8000.
export default defineConfig({
  root: "harness003",
  base: "./",
  plugins: [framed(), react()],
  resolve: { alias: { fastrtc: fileURLToPath(new URL("harness003/fastrtc.ts", import.meta.url)) } },
  build: { target: "es2022", outDir: "../dist-harness003", emptyOutDir: true },
});

function framed(): Plugin {
  return {
    name: "parley:framed",
    enforce: "pre",
    transform(code, id) {
      const frame = FRAMES[id.split("/source003/")[1] ?? ""];
      return frame ? { code: `${frame[0]}\n${code}\n${frame[1]}`, map: null } : null;
    },
  };
}

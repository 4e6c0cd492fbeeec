import { defineConfig } from "vite";

// A page of the published client libraries alone, for tests: no alias, no component of ours.
export default defineConfig({
  root: "harness",
  base: "./",
  build: { target: "es2022", outDir: "../dist-harness", emptyOutDir: true },
});

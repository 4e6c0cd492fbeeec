import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";

import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/**
 * /docs (Swagger UI) and /redoc (ReDoc), which show /openapi.json. They are built on their own, so that not a byte of them
 * is on a guest's way. Neither reports to its makers: package.json puts a small package that is here anyway in the place of
 * those that would.
 */
export default defineConfig({
  root: here("."),
  publicDir: false,
  plugins: [noDataAddresses(), noForeignHost()],
  build: {
    target: "es2022",
    outDir: here("../../dist"),
    emptyOutDir: false, // The other pages are there.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 3_000,
    modulePreload: false,
    rolldownOptions: { input: [here("docs.html"), here("redoc.html")] },
  },
});

/** Images and fonts as files of their own: data URLs would need a wider content security policy. */
function noDataAddresses(): Plugin {
  const address = /url\((?:"(data:(?:[^"\\]|\\.)*)"|'(data:[^']*)'|(data:[^)"']*))\)/g;
  return {
    name: "parley:no-data-addresses",
    transform(code, id) {
      if (!/swagger-ui\.css|redoc\.standalone\.js/.test(id)) return null;
      if (!code.match(address)) this.error(`${id} has changed, so must noDataAddresses.`);
      const outside = code.replace(address, (_, ...quoted: (string | undefined)[]) => {
        const [, type, base64, data] = /^data:([^;,]+)[^,]*?(;base64)?,(.*)$/s.exec(quoted.find(Boolean)!)!;
        const plain = data!.replaceAll(/\\(.)/gs, "$1");
        const file = fileOf(
          base64 ? Buffer.from(plain, "base64") : decodeURIComponent(plain),
          /svg|\w+$/.exec(type!)![0],
        );
        this.emitFile(file);
        return `url("/${file.fileName}")`;
      });
      return { code: outside, map: null };
    },
  };
}

/** ReDoc fetches its makers' mark from their server, and offers to open its pages in other hosts' assistants. */
function noForeignHost(): Plugin {
  const text = `<text y="9.5" font-family="sans-serif" font-size="10" fill="#5a7ad6">Redocly</text>`;
  const mark = fileOf(`<svg xmlns="http://www.w3.org/2000/svg" width="44" height="12">${text}</svg>`, "svg");
  const parts = [
    [/https:\/\/cdn\.redoc\.ly\/redoc\/logo-[\w-]+\.svg/g, `/${mark.fileName}`],
    [/(?<=showPageActions:)!0/g, "!1"],
  ] as const;
  return {
    name: "parley:no-foreign-host",
    transform(code, id) {
      if (!id.includes("redoc.standalone.js")) return null;
      if (!parts.every(([part]) => code.match(part))) this.error("ReDoc has changed, so must noForeignHost.");
      this.emitFile(mark);
      return { code: parts.reduce((before, [part, instead]) => before.replaceAll(part, instead), code), map: null };
    },
  };
}

/** A file to emit, named after its content, for it is kept for ever. */
function fileOf(source: string | Uint8Array, extension: string) {
  const hash = createHash("sha256").update(source).digest("hex").slice(0, 8);
  return { type: "asset", fileName: `assets/${hash}.${extension}`, source } as const;
}

// Bundles the dashboard into built/ or the given directory: index.html with the style inside, the hash of the style for the page's
// Content-Security-Policy, app.js and the icon. Fails if they exceed the size budget.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const BUDGET = 90_000; // bytes, gzipped, all files together
const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "built");

mkdirSync(out, { recursive: true });
const { outputFiles } = await build({
  entryPoints: { app: join(here, "src/main.tsx") },
  outdir: out,
  bundle: true,
  minify: true,
  format: "esm",
  target: ["es2022"],
  jsx: "automatic",
  jsxImportSource: "preact",
  legalComments: "none",
  logLevel: "warning",
  write: false,
});
const bundled = (end) => outputFiles.find((each) => each.path.endsWith(end)).text;

// The style is inside the page, so that the browser can paint it without another request.
const style = bundled(".css").trim();
const html = readFileSync(join(here, "index.html"), "utf8");
const digest = createHash("sha256").update(style).digest("base64");

const files = {
  "index.html": html.replace(/<link rel="stylesheet".*>/, () => `<style>${style}</style>`),
  "app.js": bundled(".js"),
  "icon.svg": readFileSync(join(here, "icon.svg"), "utf8"),
};
let total = 0;
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(out, name), text);
  total += gzipSync(text, { level: 9 }).length;
}
writeFileSync(join(out, "style"), `'sha256-${digest}'`);
console.log(`dashboard: ${total} bytes gzipped of ${BUDGET}`);
if (total > BUDGET) {
  console.error("the dashboard is over its size budget");
  process.exit(1);
}

// Bundles the dashboard into build/dashboard: index.html, app.js and app.css, and holds the size budget.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const BUDGET = 90_000; // bytes, gzipped, all files together
const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "../../build/dashboard");

mkdirSync(out, { recursive: true });
await build({
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
});
writeFileSync(join(out, "index.html"), readFileSync(join(here, "index.html")));
writeFileSync(join(out, "icon.svg"), readFileSync(join(here, "icon.svg")));

let total = 0;
for (const name of ["index.html", "app.js", "app.css", "icon.svg"]) {
  const bytes = gzipSync(readFileSync(join(out, name)), { level: 9 });
  writeFileSync(join(out, `${name}.gz`), bytes);
  total += bytes.length;
}
console.log(`dashboard: ${total} bytes gzipped of ${BUDGET}`);
if (total > BUDGET) {
  console.error("the dashboard is over its size budget");
  process.exit(1);
}

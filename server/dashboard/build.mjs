// Bundles the dashboard into built/ or the given directory: index.html with the style inside, the hash of the style for the page's
// Content-Security-Policy, the scripts and the icon. Fails if they exceed the size budgets.
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

// Bytes, gzipped: all that the first view loads, and tables.js, which is loaded when something in it is shown.
const BUDGETS = { "the first view": 90_000, "tables.js": 30_000 };
const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "built");

mkdirSync(out, { recursive: true });
const { outputFiles } = await build({
  entryPoints: { app: join(here, "src/main.tsx"), tables: join(here, "src/tables/tables.ts") },
  splitting: true,
  chunkNames: "shared", // what both import; a third entry point could make more chunks, which would need names
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
const expected = ["app.css", "app.js", "shared.js", "tables.js"];
const names = outputFiles.map(({ path }) => basename(path)).sort();
if (names.join() !== expected.join())
  throw new Error(`the server has no place for one of ${names.join(", ")}`);
const bundled = (end) => outputFiles.find((each) => each.path.endsWith(end)).text;

// The style is inside the page, so that the browser can paint it without another request.
const style = bundled(".css").trim();
const html = readFileSync(join(here, "index.html"), "utf8");
const digest = createHash("sha256").update(style).digest("base64");

const files = {
  "index.html": html.replace(/<link rel="stylesheet".*>/, () => `<style>${style}</style>`),
  ...Object.fromEntries(expected.slice(1).map((name) => [name, bundled(`/${name}`)])),
  "icon.svg": readFileSync(join(here, "icon.svg"), "utf8"),
};
const sizes = Object.fromEntries(Object.keys(BUDGETS).map((what) => [what, 0]));
for (const [name, text] of Object.entries(files)) {
  writeFileSync(join(out, name), text);
  sizes[name in BUDGETS ? name : "the first view"] += gzipSync(text, { level: 9 }).length;
}
writeFileSync(join(out, "style"), `'sha256-${digest}'`);
for (const [what, size] of Object.entries(sizes)) {
  console.log(`dashboard: ${what} has ${size} bytes gzipped of ${BUDGETS[what]}`);
  if (size > BUDGETS[what]) {
    console.error(`${what} is over its size budget`);
    process.exitCode = 1;
  }
}

// The dashboard is kept bundled: the bundle must be what its source gives.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const dashboard = fileURLToPath(new URL("../../server/dashboard", import.meta.url));

test("the bundle is what the source gives", () => {
  const anew = mkdtempSync(join(tmpdir(), "denoised-dashboard-"));
  try {
    execFileSync("node", [join(dashboard, "build.mjs"), anew], { encoding: "utf8" });
    const names = readdirSync(anew).sort();
    assert.deepEqual(readdirSync(join(dashboard, "built")).sort(), names);
    assert.ok(names.includes("app.js") && names.includes("tables.js"));
    for (const name of names)
      assert.ok(
        readFileSync(join(anew, name)).equals(readFileSync(join(dashboard, "built", name))),
        `server/dashboard/built/${name} is not what the source gives: run make dashboard, and commit that too`,
      );
  } finally {
    rmSync(anew, { recursive: true });
  }
});

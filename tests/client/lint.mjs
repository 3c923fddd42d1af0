// Holds an OpenAPI description against the recommended rules of Redocly: no error and no warning.
// usage: node lint.mjs api/openapi.json
import { createConfig, formatProblems, getTotals, lint } from "@redocly/openapi-core";

const config = await createConfig({ extends: ["recommended"] }); // no rule is left out
const problems = await lint({ ref: process.argv[2], config });
formatProblems(problems, { format: "codeframe", totals: getTotals(problems), version: "" });
process.exitCode = problems.length > 0 ? 1 : 0;

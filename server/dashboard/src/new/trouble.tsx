// What is wrong with a file: one sentence, and the whole of it for those who want it.
import { ApiError } from "../api";
import { sentence } from "../runs";

/** The columns that are named in what the server says. */
export const columnsIn = (error: Error): string[] =>
  error instanceof ApiError
    ? [
        ...new Set(
          (error.problem.errors ?? []).flatMap(({ detail }) => /column "([^"]*)"/.exec(detail)?.[1] ?? []),
        ),
      ]
    : [];

/** The page has a better way to name the label than the parameter of the API. */
const withoutParameter = (detail: string) => detail.replace(/;[^;]*\?label=[^;]*$/, "");
const ended = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

export function Trouble({ error }: { error: Error }) {
  const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  const [first, ...more] = listed;
  if (!first) return <p>{sentence(error.message)}</p>;
  return (
    <>
      <p>The server cannot use this: {ended(withoutParameter(first.detail))}</p>
      {more.length > 0 && (
        <details>
          <summary>All {listed.length} problems</summary>
          <ul>
            {listed.map(({ pointer, detail }) => (
              <li key={pointer}>{sentence(withoutParameter(detail))}</li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

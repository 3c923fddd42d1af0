// The errors in a file: the first one, and all of them on demand.
import { ApiError } from "../api";
import { sentence } from "../runs";

/** The columns that the server's errors name. */
export const columnsIn = (error: Error): string[] =>
  error instanceof ApiError
    ? [
        ...new Set(
          (error.problem.errors ?? []).flatMap(({ detail }) => /column "([^"]*)"/.exec(detail)?.[1] ?? []),
        ),
      ]
    : [];

/** Removes the hint at the API's parameter for the label, because the page has its own way to choose it. */
const withoutParameter = (detail: string) => detail.replace(/;[^;]*\?label=[^;]*$/, "");
const ended = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

export function Trouble({ error }: { error: Error }) {
  const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  const [first, ...more] = listed;
  if (!first) return <p>{sentence(error.message)}</p>;
  return (
    <>
      <p>The server cannot use this data: {ended(withoutParameter(first.detail))}</p>
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

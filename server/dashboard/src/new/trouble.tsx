// The errors in a file: the first one, and all of them on demand.
import { ApiError } from "../api";
import { sentence } from "../runs";

/** Removes hints at parameters of the API, because the page has its own way to set them. */
export const withoutParameter = (detail: string) =>
  detail.replace(/[;:][^;:]*\?(label|decimal|header)=[^;]*/g, "");
const ended = (text: string) => (/[.!?]$/.test(text) ? text : `${text}.`);

export function Trouble({ error }: { error: Error }) {
  const listed = error instanceof ApiError ? (error.problem.errors ?? []) : [];
  const [first, ...more] = listed;
  const isJson = error instanceof ApiError && error.problem.code === "invalid_json";
  if (!first)
    return <p>{sentence(isJson ? `the file is not valid JSON: ${error.message}` : error.message)}</p>;
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

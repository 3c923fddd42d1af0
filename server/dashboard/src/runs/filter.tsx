// The filter of the list and the table of runs: a search field, and a button for each status with its number of runs.
import { chosen, counts, type Status, search } from "./listing";

const STATUSES: [Status, string][] = [
  ["running", "Running"],
  ["queued", "Queued"],
  ["succeeded", "Done"],
  ["failed", "Failed"],
  ["cancelled", "Canceled"],
  ["imported", "Imported"],
];

function choose(status: Status): void {
  const others = chosen.value.filter((each) => each !== status);
  chosen.value = others.length < chosen.value.length ? others : [...others, status];
}

export function Filter({ id }: { id: string }) {
  const shown = STATUSES.filter(([status]) => counts.value[status] || chosen.value.includes(status));
  return (
    <div class="filter">
      <input
        id={id}
        type="search"
        placeholder="Search"
        aria-label="Search the runs"
        title="Search name, data, preset or id (/)"
        value={search.value}
        onInput={(event) => (search.value = event.currentTarget.value)}
      />
      {(shown.length > 1 || chosen.value.length > 0) && (
        <fieldset class="chips">
          <legend class="sr-only">Status</legend>
          {shown.map(([status, label]) => (
            <button
              key={status}
              type="button"
              aria-pressed={chosen.value.includes(status)}
              onClick={() => choose(status)}
            >
              {label} <small>{counts.value[status] ?? 0}</small>
            </button>
          ))}
        </fieldset>
      )}
    </div>
  );
}

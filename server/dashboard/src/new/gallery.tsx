// The data sets as pictures. A click on a picture selects only that data set; the box in its corner adds it as a class.
import type { Dataset } from "../api";
import { go } from "../hash";
import { Legend } from "../legend";
import { colorOf } from "../theme";
import { choose, chosen, datasets, isChosen, titleOf, toggleClass } from "./form";
import { isTable, TableThumbnail, Thumbnail } from "./thumbnail";

function Card({ set }: { set: Dataset }) {
  const at = chosen.value.findIndex((each) => each.id === set.id);
  const title = titleOf(set);
  const isClass = at >= 0 && chosen.value.length > 1;
  return (
    <div class="card">
      <button
        type="button"
        aria-pressed={isChosen(set.id)}
        title={set.description ?? title}
        onClick={() => choose(set.id)}
      >
        {isTable(set) ? (
          <TableThumbnail set={set} />
        ) : (
          <Thumbnail
            id={set.id}
            hasImages={set.shape !== null}
            {...(isClass ? { color: colorOf(at) } : {})}
          />
        )}
        <span>{title}</span>
      </button>
      <label title={at >= 0 ? "Chosen" : "Add as a class"}>
        <input
          type="checkbox"
          checked={at >= 0}
          aria-label={`${title} as a class`}
          onChange={(event) => {
            toggleClass(set.id);
            event.currentTarget.checked = isChosen(set.id); // the last one cannot be removed
          }}
        />
      </label>
    </div>
  );
}

export function Gallery() {
  const names = chosen.value.map(({ id }) =>
    titleOf(datasets.value.find((each) => each.id === id) ?? { name: id }),
  );
  return (
    <fieldset class="gallery">
      <legend>{names.length > 1 ? "Data sets, one class each" : "Data set"}</legend>
      {datasets.value.map((each) => (
        <Card key={each.id} set={each} />
      ))}
      <div class="card own">
        <button type="button" onClick={() => go({ panel: "draw" }, true)}>
          <span aria-hidden="true">✎</span>
          Draw your own
        </button>
      </div>
      <div class="card own">
        <button type="button" onClick={() => go({ panel: "file" }, true)}>
          <span aria-hidden="true">▤</span>
          Use a file
        </button>
      </div>
      <div class="wide">
        {names.length > 1 ? (
          <Legend names={names} />
        ) : (
          <p class="hint">Select more data sets to make each one a class that can be sampled separately.</p>
        )}
      </div>
    </fieldset>
  );
}

// The page of an empty database: a data set dissolves into noise on the stage, and one click trains a model to reverse it.
import { useEffect } from "preact/hooks";
import { Action } from "../action";
import type { Pattern } from "../api";
import { go } from "../hash";
import { datasets, loadDatasets } from "../new/form";
import { Thumbnail } from "../new/thumbnail";
import { submit } from "../runs";
import { preview } from "./subject";

const FIRST: Pattern[] = ["spiral", "dino", "heart", "star", "letters", "moons"];

export function FirstVisit() {
  useEffect(() => {
    void loadDatasets().catch(() => undefined);
  }, []);
  const known = new Set(datasets.value.map((each) => each.id));
  const choices = FIRST.filter((id) => known.has(id));
  return (
    <div class="first">
      <div>
        <h2>Nothing has been trained here yet</h2>
        <p>These points dissolve into noise. A model can learn to reverse this in seconds.</p>
      </div>
      <fieldset class="gallery small">
        <legend class="sr-only">Data set</legend>
        {choices.map((id) => (
          <button
            key={id}
            type="button"
            aria-pressed={preview.value === id}
            onClick={() => (preview.value = id)}
          >
            <Thumbnail id={id} />
            {id}
          </button>
        ))}
      </fieldset>
      <div class="buttons">
        <Action
          class="primary big"
          act={() => submit({ name: `${preview.value}, first try`, dataset: preview.value })}
        >
          Train {preview.value.endsWith("s") ? "on" : "a"} {preview.value}
        </Action>
        <button type="button" class="big" onClick={() => go({ panel: "draw" }, true)}>
          ✎ Draw something
        </button>
        <button type="button" class="big" onClick={() => go({ panel: "new" }, true)}>
          All options
        </button>
      </div>
    </div>
  );
}

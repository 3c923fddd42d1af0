// The data sets to choose from, as pictures.
import { go } from "../hash";
import { choose, chosenData, datasets } from "./form";
import { Thumbnail } from "./thumbnail";

export function Gallery() {
  const several = chosenData.value.length > 1;
  return (
    <fieldset class="gallery">
      <legend>Data set{several && "s, one class each"}</legend>
      {datasets.value.map((each) => (
        <button
          key={each.id}
          type="button"
          aria-pressed={chosenData.value.includes(each.id)}
          title={each.description ?? each.name}
          onClick={(event) => choose(each.id, event.shiftKey || event.ctrlKey || event.metaKey)}
        >
          <Thumbnail id={each.id} />
          <span>{each.name.replaceAll("_", " ")}</span>
        </button>
      ))}
      <button type="button" class="draw-own" onClick={() => go({ panel: "draw" }, true)}>
        <span aria-hidden="true">✎</span>
        your own …
      </button>
      <p class="hint">With Shift or Ctrl, choose several: they become classes to sample by.</p>
    </fieldset>
  );
}

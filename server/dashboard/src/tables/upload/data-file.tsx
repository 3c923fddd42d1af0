// The dialog for a data file: it shows what the server understands of it, and asks for changes before training.
import { useEffect } from "preact/hooks";
import { Dialog } from "../../dialog";
import { isCut } from "../../events";
import { go } from "../../hash";
import { Legend } from "../../legend";
import { ChooseFile, file, labels } from "../../new/choose-file";
import { Trouble } from "../../new/trouble";
import { counted } from "../words";
import { Columns } from "./columns";
import { Picture } from "./picture";
import {
  change,
  doing,
  faults,
  isCurrent,
  open,
  type Preview,
  preview,
  toForm,
  trainOnFile,
  trouble,
  wishes,
} from "./upload";

const ROWS = 5;

function Rows({ columns, label, rows }: Preview) {
  const step = Math.max(1, Math.floor(rows.length / ROWS));
  const some = rows.filter((_, i) => i % step === 0).slice(0, ROWS);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: keyboard users must be able to scroll it
    <section class="preview scroll" aria-label="Some rows" tabIndex={0}>
      <table>
        <caption>Some rows</caption>
        <thead>
          <tr>
            {columns.map(({ name }) => (
              <th key={name} scope="col" class={name === label ? "label" : ""}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {some.map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td key={j}>{cell ?? <em>missing</em>}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Settings for CSV that the server could have guessed wrong. */
function Reading() {
  const { header, decimal } = wishes.value;
  return (
    <details>
      <summary>How the file is read</summary>
      <div class="fields">
        <label>
          First row
          <select
            value={header}
            onChange={(event) => change({ header: event.currentTarget.value as typeof header })}
          >
            <option value="auto">Automatic</option>
            <option value="true">Names of the columns</option>
            <option value="false">Data</option>
          </select>
        </label>
        <label>
          Decimals
          <select
            value={decimal}
            onChange={(event) => change({ decimal: event.currentTarget.value as typeof decimal })}
          >
            <option value="auto">Automatic</option>
            <option value="point">1.5 (point)</option>
            <option value="comma">1,5 (comma)</option>
          </select>
        </label>
      </div>
    </details>
  );
}

/** What would be trained on. */
function planOf({ columns, label, classes, dim, shape }: Preview): string {
  if (shape)
    return `The model will learn images${classes ? ` of ${counted(classes.length, "class", "classes")}` : ""}.`;
  const wrong = Object.keys(faults.value).length;
  if (wrong > 0)
    return `${counted(wrong, "column")} cannot be used as ${wrong === 1 ? "it is" : "they are"}.`;
  const out = columns.filter(({ name, coordinate }) => coordinate === null && name !== label);
  const following = out.filter(({ follows }) => follows !== null).length;
  const left = out.length - following;
  const filled = following > 0 ? ` ${counted(following, "column")} will be filled in from others.` : "";
  const rest = left > 0 ? ` ${counted(left, "column")} will not be trained on.` : "";
  const kinds = classes ? ` and the ${counted(classes.length, "class", "classes")} of ${label}` : "";
  return `The model will learn ${counted(dim, "column")}${kinds}.${filled}${rest}`;
}

function Understood({ of }: { of: Preview }) {
  const isRight = Object.keys(faults.value).length === 0;
  const isReady = isRight && isCurrent.value && doing.value === "";
  return (
    <>
      {of.shape ? (
        <p class="hint">
          {of.classes
            ? `Classes: ${of.classes.join(", ")}`
            : "To sample each class separately, drop the file with the labels, too."}
        </p>
      ) : (
        <>
          <div class="data-file" aria-busy={doing.value !== ""}>
            <Columns />
            <Picture />
          </div>
          {of.classes && <Legend names={of.classes} />}
          <Rows {...of} />
          <Reading />
        </>
      )}
      <footer>
        <p role="status" class={isRight ? "plan" : "plan error"}>
          {doing.value || (isCurrent.value ? planOf(of) : "")}
        </p>
        <button type="button" class="big" disabled={!isReady} onClick={() => void toForm()}>
          More options
        </button>
        <button
          type="button"
          class="primary big"
          disabled={!isReady || isCut.value}
          onClick={() => void trainOnFile()}
        >
          Train
        </button>
      </footer>
    </>
  );
}

function sizeOf({ n, columns, shape }: Preview): string {
  if (!shape) return `${counted(n, "row")}, ${counted(columns.length, "column")}`;
  const [height, width, channels] = shape;
  return `${counted(n, "image")} of ${height} × ${width} pixels, ${channels === 1 ? "gray" : "in color"}`;
}

export function DataFile() {
  useEffect(() => {
    if (file.value) open(file.value);
  }, [file.value, labels.value]);
  const of = preview.value;
  return (
    <Dialog title="Train on a file" wide onClose={() => go({ panel: "" })}>
      {of && (
        <p>
          <strong>{file.value?.name}</strong>: {sizeOf(of)}. <ChooseFile>Choose another file</ChooseFile>
        </p>
      )}
      {trouble.value && (
        <div class="error" role="alert">
          {!of && file.value && <strong>{file.value.name}: </strong>}
          <Trouble error={trouble.value} />
        </div>
      )}
      {of ? (
        <Understood of={of} />
      ) : (
        <>
          <p class="drop-area">
            Drop a file anywhere on this page, or <ChooseFile>browse</ChooseFile>. CSV, TSV, JSON, NDJSON and
            NPY are understood, also compressed as .gz; and images in IDX, as MNIST's, or as a .zip of PNG
            files in a folder for each class.
          </p>
          {trouble.value && <Reading />}
          <p role="status" class="hint">
            {doing.value}
          </p>
        </>
      )}
    </Dialog>
  );
}

// A click on a generated image shows the images of the data that are nearest to it: whether the model has memorized them.
import { useEffect, useRef } from "preact/hooks";
import { shapeOf } from "../data";
import { type Neighbor, nearest } from "./nearest";
import { strip } from "./sheet";
import { choose, chosen, neighborOf, type Spot, spots, unchoose } from "./spots";

const ARROWS: Record<string, [number, number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const boxOf = ({ left, top, width, height }: Spot) => ({
  left: `${left}px`,
  top: `${top}px`,
  width: `${width}px`,
  height: `${height}px`,
});

/** Buttons over the images. The arrow keys move between them, and only one of them is a stop of the tab key. */
export function Spots() {
  const ref = useRef<HTMLDivElement>(null);
  const all = spots.value;
  const stop = all.indexOf(chosen.value ?? all[0]!);
  const move = (event: KeyboardEvent) => {
    const arrow = ARROWS[event.key];
    const at = [...ref.current!.children].indexOf(event.target as Element);
    if (event.key === "Escape" && chosen.value) unchoose();
    else if (arrow && all[at])
      (ref.current!.children[all.indexOf(neighborOf(all[at], arrow))] as HTMLElement).focus();
    else return;
    event.stopPropagation(); // the keys also move the animation, and end the full screen
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot be laid out over the canvas
    <div class="spots" ref={ref} role="group" aria-label="Images of the model" onKeyDown={move}>
      {all.map((spot, at) => (
        <button
          key={spot.key}
          type="button"
          aria-label={spot.name}
          title="Find the nearest images of the data"
          aria-pressed={spot === chosen.value}
          tabIndex={at === stop ? 0 : -1}
          style={boxOf(spot)}
          onClick={() => choose(spot)}
        />
      ))}
    </div>
  );
}

/** An image with pixels that stay squares. */
function Pixels({ source, name }: { source: ImageBitmap | HTMLCanvasElement; name: string }) {
  const ref = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const canvas = ref.current!;
    canvas.width = source.width;
    canvas.height = source.height;
    canvas.getContext("2d")!.drawImage(source, 0, 0);
  }, [source]);
  return <canvas ref={ref} role="img" aria-label={name} />;
}

function pictureOf({ finished, run, name }: Spot): HTMLCanvasElement {
  return strip([{ values: finished, at: 0, next: 0, part: 0, name, finished }], shapeOf(run)!);
}

function Near({ label, distance, picture }: Neighbor) {
  const far = distance.toFixed(3);
  return (
    <li>
      <Pixels source={picture} name={label ? `An image of ${label}` : "An image of the data"} />
      {label && <span title={label}>{label}</span>}
      <small title="The root of the mean squared difference: 0 for a copy, 1 for black and white">
        {far}
      </small>
    </li>
  );
}

/** The chosen image, and those of the data beside it. */
export function Neighbors() {
  const spot = chosen.value;
  if (!spot) return null;
  const list = nearest.value.value;
  const error = nearest.error.value;
  return (
    <section class="neighbors" aria-label="Nearest images of the data">
      <header>
        <p role={error ? "alert" : "status"} class={error ? "error" : ""}>
          {error || (list ? `${spot.name}, and the nearest images of the data` : "Searching the data …")}
        </p>
        <button type="button" aria-label="Close" onClick={unchoose}>
          ✕
        </button>
      </header>
      <ol class={nearest.isBusy.value ? "stale" : ""}>
        <li>
          <Pixels source={pictureOf(spot)} name={spot.name} />
        </li>
        {list?.map((each, at) => (
          <Near key={at} {...each} />
        ))}
      </ol>
    </section>
  );
}

// The pictures, the numbers and the weights, to take along: each is an address of the API.
import { getBytes, hasKey, url } from "../api";
import { view } from "../hash";
import { attempt, job } from "../runs";
import { sampleQuery } from "../stage/trajectory";

/** A link cannot carry a key: then the page fetches, and hands the file over. */
async function save(href: string): Promise<void> {
  const file = URL.createObjectURL(new Blob([await getBytes(href)]));
  const link = document.createElement("a");
  link.href = file;
  link.download = new URL(href).pathname.split("/").at(-1) ?? "denoised";
  link.click();
  setTimeout(() => URL.revokeObjectURL(file), 10_000);
}

const GIF_POINTS = 1000;
const GIF_FRAMES = 41;

export function Exports() {
  const id = job.value!.id;
  const samples = sampleQuery(view.value, false);
  const way = { ...samples, n: Math.min(view.value.n, GIF_POINTS), frames: GIF_FRAMES };
  const model = `/v1/models/${id}`;
  const list: [string, string, string][] = [
    ["GIF", url(`${model}/trajectories.gif`, way), "the animation (g)"],
    ["PNG", url(`${model}/samples.png`, samples), "the points as a picture"],
    ["SVG", url(`${model}/samples.svg`, samples), "the same, scalable"],
    ["CSV", url(`${model}/samples.csv`, samples), "the points as a table"],
    ["npy", url(`${model}/samples.npy`, samples), "the points for numpy"],
    ["safetensors", url(`${model}/weights.safetensors`), "the weights"],
    ["loss SVG", url(`/v1/jobs/${id}/history.svg`), "the loss as a picture"],
  ];
  return (
    <fieldset class="exports">
      <legend>Take it along</legend>
      {list.map(([label, href, doc]) => (
        <a
          key={label}
          id={`export-${label.replace(" ", "-")}`}
          href={href}
          title={doc}
          target="_blank"
          rel="noreferrer"
          onClick={(event) => {
            if (!hasKey()) return;
            event.preventDefault();
            attempt(() => save(href))();
          }}
        >
          {label}
        </a>
      ))}
    </fieldset>
  );
}

// Export: the stage as a picture or a video, and links to the same data in the formats of the API.
import { Action } from "../action";
import { getBytes, hasKey, type Query, url } from "../api";
import { view } from "../hash";
import { once } from "../player";
import { attempt, hasModel, isImported, job, nameOf } from "../runs";
import { type Address, addresses, pictureTheme } from "../stage/addresses";
import { canRecord, download, savePicture, saveVideo } from "../stage/record";
import { kind, tab } from "../tabs";

/** Downloads a file with the API key, which a link cannot send. */
async function save(href: string): Promise<void> {
  download(new Blob([await getBytes(href)]), new URL(href).pathname.split("/").at(-1) ?? "denoised");
}

const GIF_POINTS = 1000;
const GIF_FRAMES = 41;

interface Link {
  label: string;
  href: string;
  doc: string;
}

function Links({ list }: { list: Link[] }) {
  return (
    <>
      {list.map(({ label, href, doc }) => (
        <a
          key={label}
          class={`export-${label.split(" ")[0]}`}
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
    </>
  );
}

const labeled = (label: string, of: string) => (of ? `${label} ${of}` : label);

/** The animation as drawn by the server, and its frames as numbers. */
function animations({ of, path, way, query }: Address): Link[] {
  const gif = { ...query, ...pictureTheme(), n: Math.min(Number(query.n), GIF_POINTS), frames: GIF_FRAMES };
  const which: Query = { which: view.value.mode === "x0" ? "x0" : undefined };
  return [
    {
      label: labeled("GIF", of),
      href: url(`${path}/${way}.gif`, gif),
      doc: "The animation, x beside x₀ (g)",
    },
    {
      label: labeled("Frames", of),
      href: url(`${path}/${way}.npy`, { ...query, ...which }),
      doc: "All frames for NumPy",
    },
  ];
}

/** The samples at the end of the animation. */
function finished({ of, path, way, query }: Address): Link[] {
  if (way !== "trajectories") return [];
  const link = (label: string, suffix: string, more: Query, doc: string): Link => ({
    label: labeled(label, of),
    href: url(`${path}/samples.${suffix}`, { ...query, frames: undefined, ...more }),
    doc,
  });
  return [
    link("CSV", "csv", {}, "The samples as a table"),
    link("NPY", "npy", {}, "The samples for NumPy"),
    kind.value === "images"
      ? link("PNG", "png", {}, "The samples as a picture, each class in a row")
      : link("SVG", "svg", pictureTheme(), "The samples as a drawing"),
  ];
}

export function Exports() {
  const run = job.value!;
  const name = nameOf(run);
  const list = addresses();
  const points = list.flatMap(finished);
  return (
    <fieldset class="exports">
      <legend>Export</legend>
      {(tab.value === "animation" || kind.value === "images") && (
        <Group title="Stage as shown">
          <Action act={() => savePicture(name)} title="The current picture of the stage">
            PNG
          </Action>
          {canRecord() && (
            <Action act={() => saveVideo(name, once())} title="The animation of the stage as shown">
              Video
            </Action>
          )}
        </Group>
      )}
      <Group title="Animation">
        <Links list={list.flatMap(animations)} />
      </Group>
      {points.length > 0 && (
        <Group title="Samples">
          <Links list={points} />
        </Group>
      )}
      <Group title="Run">
        <Links
          list={[
            ...(hasModel(run)
              ? [
                  {
                    label: "Weights",
                    href: url(`/v1/models/${run.id}/weights.safetensors`),
                    doc: "The model as a safetensors file",
                  },
                ]
              : []),
            ...(isImported(run)
              ? []
              : [
                  {
                    label: "Loss SVG",
                    href: url(`/v1/jobs/${run.id}/history.svg`),
                    doc: "The loss curve as a drawing",
                  },
                ]),
          ]}
        />
      </Group>
    </fieldset>
  );
}

function Group({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <div class="export-group">
      <span>{title}</span>
      <div>{children}</div>
    </div>
  );
}

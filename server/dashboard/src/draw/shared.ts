// Links that contain their data: the address holds the points of an upload. On a server without the upload, they open as a drawing.
import { effect } from "@preact/signals";
import { drawOf, sourcesOf } from "../data";
import { pack, unpack } from "../drawing";
import { go, view } from "../hash";
import { job, whenUnknown } from "../runs";
import { take } from "./strokes";

/** Opens the drawing if the address names a run that this server does not have, but contains its data. */
whenUnknown.add(() => {
  if (!view.value.data) return false;
  void open(view.value.data);
  return true;
});

async function open(text: string): Promise<void> {
  const drawing = await unpack(text);
  if (!drawing) {
    go({ data: "" });
    return;
  }
  take(drawing.points);
  go({ job: "", panel: "draw" });
}

/** Puts the data of the run on the stage into the address, if it is an upload, which other servers do not have. */
effect(() => {
  const run = job.value;
  if (!run) return;
  const sources = sourcesOf(run);
  const [only] = sources;
  if (sources.length !== 1 || !only?.upload) {
    if (view.peek().data) go({ data: "" });
    return;
  }
  if (view.peek().data) return;
  drawOf(only.id)
    .then(pack)
    .then((data) => {
      if (job.peek()?.id === run.id) go({ data });
    })
    .catch(() => undefined); // the upload was deleted, so the link cannot contain it
});

// Links that bring their data: the points of an upload stand in the address, and where the upload is not, they are a drawing.
import { effect } from "@preact/signals";
import { drawOf, sourcesOf } from "../data";
import { pack, unpack } from "../drawing";
import { go, view } from "../hash";
import { job, whenUnknown } from "../runs";
import { take } from "./strokes";

/** The address names a run that this server does not have, but holds what it was trained on. */
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

/** Puts the points of the run on the stage into the address, if only this server has them. */
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
    .catch(() => undefined); // the upload is gone; the link does without
});

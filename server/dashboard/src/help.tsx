import { base } from "./api";
import { Dialog } from "./dialog";
import { go } from "./hash";
import { KEYS } from "./keys";

export function Help() {
  return (
    <Dialog title="Keys and help" onClose={() => go({ panel: "" })}>
      <dl class="keys">
        {KEYS.map((key) => (
          <div key={key.label}>
            <dt>
              <kbd>{key.label}</kbd>
            </dt>
            <dd>{key.doc}</dd>
          </div>
        ))}
      </dl>
      <p class="hint">
        Drag on the stage to see where a noise point ends up. Drag across the loss chart to zoom, double-click
        it to zoom out, and click it to see the nearest checkpoint. The page uses only the{" "}
        <a href={`${base}/docs`}>public API</a>, and its address contains the whole view: anyone who opens the
        link on this server sees the same points.
      </p>
    </Dialog>
  );
}

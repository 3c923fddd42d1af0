import { base } from "./api";
import { Dialog } from "./dialog";
import { go } from "./hash";
import { KEYS } from "./keys";

export function Help() {
  return (
    <Dialog title="Keys" onClose={() => go({ panel: "" })}>
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
        Everything here is the <a href={`${base}/docs`}>public API</a>. The address of this page holds what is
        shown: send it on, and others see the same points.
      </p>
    </Dialog>
  );
}

// A server with keys: the page asks for one when it is first refused.
import { hasKey, keyState, setKey } from "./api";
import { Dialog } from "./dialog";

export function KeyPrompt() {
  const refused = hasKey();
  return (
    <Dialog
      title="API key required"
      onClose={() => {
        if (keyState.value === "wanted") keyState.value = "later";
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          const field = event.currentTarget.elements.namedItem("key") as HTMLInputElement;
          setKey(field.value.trim());
        }}
      >
        {refused && (
          <p class="error" role="alert">
            The server does not know this key. Check for typos; it may have been removed.
          </p>
        )}
        <label class="stacked">
          API key
          <input data-first name="key" type="password" autocomplete="off" required placeholder="dn_…" />
        </label>
        <p class="hint">The key is kept in this tab only, until you close it.</p>
        <div class="buttons">
          <button type="submit" class="primary">
            Continue
          </button>
        </div>
      </form>
    </Dialog>
  );
}

// The prompt for an API key, which opens when the server first refuses a request without one.
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
            The server does not know this key. Check it for typos. It may also have been removed.
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

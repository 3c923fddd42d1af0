// Notices of recent events, shown for a moment and announced by screen readers. A modal dialog has its own notices, because those
// of the page are behind it and are not announced.
import { useMemo } from "preact/hooks";
import { notice } from "./runs";

export function Notices() {
  const before = useMemo(() => notice.peek().number, []); // the notices that were shown elsewhere
  const { text, number } = notice.value;
  const isNew = number > before;
  return (
    <>
      <div class="sr-only" aria-live="polite">
        {isNew && <span key={number}>{text}</span>}
      </div>
      {isNew && (
        <div class="toast" aria-hidden="true" key={number}>
          {text}
        </div>
      )}
    </>
  );
}

// What has just happened, shown for a moment and read out. A modal dialog has notices of its own: what lies outside of it is
// neither in front nor read out.
import { useMemo } from "preact/hooks";
import { notice } from "./runs";

export function Notices() {
  const before = useMemo(() => notice.peek().number, []); // has been said elsewhere
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

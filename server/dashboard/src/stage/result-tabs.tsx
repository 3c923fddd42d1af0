// The tabs on the stage of a table's run. The arrow keys move between them.
import { go } from "../hash";
import { TABS, type Tab, tab } from "../tabs";

export function ResultTabs() {
  const open = (name: Tab) => go({ tab: name === TABS[0]![0] ? "" : name }, true);
  const move = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.stopPropagation(); // the keys also move the animation
    event.preventDefault();
    const at = TABS.findIndex(([name]) => name === tab.value) + by;
    const [name] = TABS[(at + TABS.length) % TABS.length]!;
    open(name);
    document.getElementById(`tab-${name}`)?.focus();
  };
  return (
    <div class="result-tabs" role="tablist" aria-label="Results" onKeyDown={move}>
      {TABS.map(([name, label, doc]) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`tab-${name}`}
          title={doc}
          aria-selected={tab.value === name}
          aria-controls="results"
          tabIndex={tab.value === name ? 0 : -1}
          onClick={() => open(name)}
        >
          {label}
        </button>
      ))}
    </div>
  );
}

// The tabs on the stage of a run of a table or of images. The arrow keys move between them.
import { go } from "../hash";
import { type Tab, tab, tabs } from "../tabs";

export function ResultTabs() {
  const open = (name: Tab) => go({ tab: name === tabs.value[0]![0] ? "" : name }, true);
  const move = (event: KeyboardEvent) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.stopPropagation(); // the keys also move the animation
    event.preventDefault();
    const all = tabs.value;
    const at = all.findIndex(([name]) => name === tab.value) + by;
    const [name] = all[(at + all.length) % all.length]!;
    open(name);
    document.getElementById(`tab-${name}`)?.focus();
  };
  return (
    <div class="result-tabs" role="tablist" aria-label="Results" onKeyDown={move}>
      {tabs.value.map(([name, label, doc]) => (
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

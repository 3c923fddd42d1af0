// The colors of the classes. There are eight colors; with more classes, several share a color.
import { CLASS_COLORS, colorOf } from "./theme";

export function Legend({ names }: { names: string[] }) {
  const groups = names.slice(0, CLASS_COLORS).map((_, at) => names.filter((_, i) => i % CLASS_COLORS === at));
  return (
    <ul class="legend" aria-label="Classes">
      {groups.map((group, at) => (
        <li key={at} title={group.join(", ")}>
          <svg viewBox="0 0 8 8" aria-hidden="true">
            <circle cx="4" cy="4" r="4" fill={colorOf(at)} />
          </svg>
          {group.join(", ")}
        </li>
      ))}
    </ul>
  );
}

// The time track below the stage: play, pause, scrub. Its shape shows the noise that is left.
import { nextSpeed, play, playing, position, scrub, speed } from "../player";
import { shown } from "./subject";
import { frameAt, type Trajectory } from "./trajectory";

const HEIGHT = 24;

/** The shape of the track: the distance between the points and their estimates in each frame, as an SVG path. */
function shapeOf(t: Trajectory): string {
  const frames = t.timesteps.length;
  const values = t.n * t.dim;
  const spread = Array.from({ length: frames }, (_, k) => {
    if (k === t.home) return 0;
    const to = Math.min(k, frames - 2) * values; // x0 has one frame less; in the forward process all its frames are equal
    let [sum, count] = [0, 0];
    for (let i = 0; i < values; i++) {
      const distance = t.x[k * values + i]! - t.x0[to + i]!;
      if (Number.isNaN(distance)) continue; // a cell is missing
      sum += distance ** 2;
      count++;
    }
    return Math.sqrt(sum / Math.max(1, count));
  });
  const most = Math.max(...spread, 1e-9);
  const points = spread.map(
    (s, k) =>
      `${((100 * k) / (frames - 1)).toFixed(2)},${(HEIGHT - 2 - (HEIGHT - 4) * Math.sqrt(s / most)).toFixed(2)}`,
  );
  return `M0,${HEIGHT} L${points.join(" L")} L100,${HEIGHT} Z`;
}

const shapes = new WeakMap<Trajectory, string>();
function shapeFor(t: Trajectory): string {
  let shape = shapes.get(t);
  if (!shape) {
    shape = shapeOf(t);
    shapes.set(t, shape);
  }
  return shape;
}

export function Track() {
  const t = shown.value;
  const at = t ? frameAt(t, position.value) : 0;
  const step = t?.timesteps[Math.round(at)] ?? 0;
  return (
    <div class="track">
      <button
        type="button"
        class="round primary"
        aria-label={playing.value ? "Pause" : "Play"}
        title="Play or pause (space)"
        disabled={!t}
        onClick={() => play(!playing.value)}
      >
        <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <path d={playing.value ? "M3 2h4v12H3zM9 2h4v12H9z" : "M4 1.5 14 8 4 14.5z"} />
        </svg>
      </button>
      <span class="track-end">{t?.home === 0 ? "Data" : "Noise"}</span>
      <div class="track-line">
        {t && (
          <svg viewBox={`0 0 100 ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
            <path d={shapeFor(t)} />
          </svg>
        )}
        <input
          type="range"
          min="0"
          max={t ? t.timesteps.length - 1 : 1}
          step="any"
          value={at}
          disabled={!t}
          aria-label="Diffusion time"
          aria-valuetext={`timestep ${step}`}
          onInput={(event) => t && scrub(Number(event.currentTarget.value) / (t.timesteps.length - 1))}
        />
      </div>
      <span class="track-end">{t?.home === 0 ? "Noise" : "Data"}</span>
      <output class="time">t = {step}</output>
      <button
        type="button"
        class="speed"
        aria-label={`Speed: ${speed.value} ×`}
        title="Speed of the animation"
        onClick={nextSpeed}
      >
        {speed.value} ×
      </button>
    </div>
  );
}

// Samples from the same noise by several samplers, in several numbers of steps, side by side.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { getJson, url } from "../api";
import { timestepsOf } from "../data";
import { describe, samplerNames } from "../description";
import { Dialog } from "../dialog";
import { go, view } from "../hash";
import { job, nameOf } from "../runs";
import { drawAlone } from "../stage/marks";
import { placesOf } from "../stage/trajectory";
import { ink } from "../theme";

interface Drawn {
  points: number[][];
  labels: string[] | null;
  classes: string[] | null;
  evaluations?: number;
  duration_seconds: number;
}

const STEPS = [5, 10, 20, 50];
const answers = signal<Record<string, Drawn | string>>({});

let asked = 0; // counts the comparisons; responses for an earlier one, or for a closed dialog, are ignored

async function load(id: string, timesteps: number): Promise<void> {
  const { seed, epoch } = view.value;
  const mine = ++asked;
  answers.value = {};
  await describe();
  for (const sampler of samplerNames())
    for (const steps of STEPS.filter((each) => each <= timesteps)) {
      if (mine !== asked) return;
      const query = { n: 1000, seed, sampler, steps, epoch: epoch || undefined };
      const answer = await getJson<Drawn>(url(`/v1/models/${id}/samples`, query)).catch(
        (error: Error) => error.message,
      );
      if (mine === asked) answers.value = { ...answers.value, [`${sampler}/${steps}`]: answer };
    }
}

function Cell({ answer }: { answer: Drawn | string | undefined }) {
  if (answer === undefined) return <td class="waiting">…</td>;
  if (typeof answer === "string") return <td title={answer}>–</td>;
  const draw = (canvas: HTMLCanvasElement | null) => {
    if (!canvas) return;
    const flat = new Float32Array(answer.points.flatMap((p) => [p[0]!, p[1] ?? 0]));
    const places = placesOf(answer);
    drawAlone(
      canvas,
      flat,
      places ? { colors: ink.value.classes, of: places } : { colors: [ink.value.point], of: null },
      1.4,
      0.6,
    );
  };
  return (
    <td>
      <canvas width="220" height="220" ref={draw} />
      <small>
        {answer.evaluations !== undefined && `${answer.evaluations} evaluations, `}
        {(1000 * answer.duration_seconds).toFixed(1)} ms
      </small>
    </td>
  );
}

export function Samplers() {
  const run = job.value;
  const timesteps = run ? timestepsOf(run) : 0;
  useEffect(() => {
    if (run) void load(run.id, timesteps).catch(() => undefined);
    return () => {
      asked++;
    };
  }, [run?.id]);
  const steps = STEPS.filter((each) => each <= timesteps);
  return (
    <Dialog
      title={`Compare samplers${run ? ` — ${nameOf(run)} (same noise)` : ""}`}
      wide
      onClose={() => go({ panel: "" })}
    >
      <div class="scroll">
        <table class="samplers">
          <thead>
            <tr>
              <th scope="col">Sampler</th>
              {steps.map((each) => (
                <th key={each} scope="col">
                  {each} steps
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {samplerNames().map((sampler) => (
              <tr key={sampler}>
                <th scope="row">
                  <button type="button" onClick={() => go({ sampler, panel: "" }, true)}>
                    {sampler}
                  </button>
                </th>
                {steps.map((each) => (
                  <Cell key={each} answer={answers.value[`${sampler}/${each}`]} />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}

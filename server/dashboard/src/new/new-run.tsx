// The dialog for a new run: its data, its hyperparameters, and an estimate of its cost.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { describe, fieldOf } from "../description";
import { Dialog } from "../dialog";
import { isCut } from "../events";
import { go } from "../hash";
import { say, sentence, submit } from "../runs";
import { Fields, reach } from "./fields";
import { explain, loadDatasets, plan, problems, request, summaryOf, validate } from "./form";
import { Gallery } from "./gallery";
import { labelOf } from "./words";

const sending = signal(false);

const hasField = (path: string): boolean => {
  const [group, name] = path.includes(".") ? path.split(".") : ["", path];
  return fieldOf(group!, name!) !== undefined;
};

/** The errors: links to the fields that have one, and the texts of those that belong to no field. */
function Wrong() {
  const paths = Object.keys(problems.value);
  const fields = paths.filter(hasField);
  return (
    <>
      {fields.length > 0 && (
        <p class="error">
          Please check{" "}
          {fields.map((path, i) => (
            <span key={path}>
              {i > 0 && ", "}
              <button type="button" class="link" onClick={() => reach(path)}>
                {labelOf(path)}
              </button>
            </span>
          ))}
          .
        </p>
      )}
      {paths
        .filter((path) => !hasField(path))
        .map((path) => (
          <p key={path} class="error">
            {sentence(
              path.startsWith("dataset") ? `data set: ${problems.value[path]}` : problems.value[path]!,
            )}
          </p>
        ))}
    </>
  );
}

function Plan() {
  const isRight = Object.keys(problems.value).length === 0;
  return (
    <div role="status" class="plan">
      {isRight && plan.value && summaryOf(plan.value)}
      {isRight &&
        plan.value?.warnings.map((each) => (
          <p key={each.code} class="warning">
            {sentence(each.detail)}
          </p>
        ))}
      <Wrong />
    </div>
  );
}

export function NewRun() {
  useEffect(() => {
    loadDatasets().catch(explain);
    describe().then(validate).catch(explain);
  }, []);
  const train = async () => {
    sending.value = true;
    try {
      const made = await submit(request());
      say(`Queued: ${made.id}`);
    } catch (error) {
      explain(error as Error);
    }
    sending.value = false;
  };
  const isWrong = Object.keys(problems.value).some((path) => path !== "");
  return (
    <Dialog title="New run" wide onClose={() => go({ panel: "" })}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void train();
        }}
      >
        <Gallery />
        <Fields />
        <footer>
          <Plan />
          <button type="submit" class="primary big" disabled={sending.value || isWrong || isCut.value}>
            {sending.value ? "Queuing …" : "Train"}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

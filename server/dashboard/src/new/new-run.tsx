// The dialog of a new run: data, hyper-parameters, and what it would come to.
import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { describe } from "../description";
import { Dialog } from "../dialog";
import { go } from "../hash";
import { notice, sentence, submit } from "../runs";
import { Fields } from "./fields";
import { loadDatasets, plan, problems, request, takes, validate } from "./form";
import { Gallery } from "./gallery";

const sending = signal(false);

export function NewRun() {
  useEffect(() => {
    const fail = (error: Error) => {
      problems.value = { "": error.message };
    };
    loadDatasets().catch(fail);
    describe().then(validate).catch(fail);
  }, []);
  const train = async () => {
    sending.value = true;
    try {
      const made = await submit(request());
      notice.value = `queued: ${made.id}`;
    } catch (error) {
      problems.value = { "": (error as Error).message };
    }
    sending.value = false;
  };
  const right = Object.keys(problems.value).length === 0;
  const general = Object.entries(problems.value).filter(
    ([path]) => path === "" || path.startsWith("dataset"),
  );
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
          <div role="status" class="plan">
            {plan.value &&
              right &&
              `${plan.value.steps.toLocaleString("en")} steps, ${plan.value.parameters.toLocaleString("en")} parameters${takes(plan.value.estimate)}`}
            {right &&
              plan.value?.warnings.map((each) => (
                <p key={each.code} class="warning">
                  {sentence(each.detail)}
                </p>
              ))}
            {general.map(([path, text]) => (
              <p key={path} class="error">
                {text}
              </p>
            ))}
          </div>
          <button
            type="submit"
            class="primary big"
            disabled={sending.value || Object.keys(problems.value).some(Boolean)}
          >
            Train
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

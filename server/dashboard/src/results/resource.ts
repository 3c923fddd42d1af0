// Something to load from the server, as signals: loaded again when what is wanted changes, and when the connection is restored.
import { effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import { connection } from "../events";

export interface Wish<T> {
  of: string; // the subject: what was loaded of another one is dropped at once
  key: string; // when it changes, what was loaded stays until the new value is there
  round: number; // when only this changes, the request under way is not aborted
  load: (signal: AbortSignal) => Promise<T>;
}

export interface Resource<T> {
  value: ReadonlySignal<T | null>;
  error: ReadonlySignal<string>;
  isBusy: ReadonlySignal<boolean>;
}

export function resource<T>(wish: () => Wish<T> | null): Resource<T> {
  const value = signal<T | null>(null);
  const error = signal("");
  const isBusy = signal(false);
  let wanted: Wish<T> | null = null;
  let loadedOf = "";
  let stop: AbortController | undefined;
  let again = false; // whether there is a new round since the request began

  const begin = async (what: Wish<T>): Promise<void> => {
    stop?.abort();
    stop = new AbortController();
    const { signal: aborted } = stop;
    isBusy.value = true;
    again = false;
    try {
      const fresh = await what.load(aborted);
      if (aborted.aborted) return;
      value.value = fresh;
      loadedOf = what.of;
      error.value = "";
    } catch (problem) {
      if (aborted.aborted) return;
      error.value = (problem as Error).message;
    }
    isBusy.value = false;
    if (again && wanted) void begin(wanted);
  };

  effect(() => {
    const what = wish();
    untracked(() => {
      const before = wanted;
      wanted = what;
      if (!what || (what.key === before?.key && what.round === before.round)) return;
      if (what.of !== loadedOf) {
        value.value = null;
        error.value = "";
      }
      if (what.key === before?.key && isBusy.value) again = true;
      else void begin(what);
    });
  });
  effect(() => {
    const isLive = connection.value === "live";
    untracked(() => {
      if (isLive && error.value && wanted && !isBusy.value) void begin(wanted);
    });
  });
  return { value, error, isBusy };
}

import { useMemo, useSyncExternalStore } from "react";
import type { StoreApi } from "zustand/vanilla";

type Source<T> = { subscribe: (listener: () => void) => () => void; get: () => T };

/**
 * A part of a store, anew at most every `ms`: at once after a pause, and always the last value in the end.
 *
 * What is costly to derive, as the order of 10,000 sessions, can't be derived anew for each message.
 */
export function sampled<S, T>(store: Pick<StoreApi<S>, "getState" | "subscribe">, select: (state: S) => T, ms: number) {
  let value = select(store.getState());
  const source: Source<T> = {
    get: () => value,
    subscribe: (listener) => {
      let timer: ReturnType<typeof setTimeout> | null = null;
      let last = Number.NEGATIVE_INFINITY;
      const take = () => {
        timer = null;
        const next = select(store.getState());
        if (Object.is(next, value)) return;
        last = performance.now();
        value = next;
        listener();
      };
      const end = store.subscribe(() => {
        if (timer === null && !Object.is(select(store.getState()), value))
          timer = setTimeout(take, Math.max(0, last + ms - performance.now()));
      });
      take();
      return () => {
        end();
        if (timer !== null) clearTimeout(timer);
      };
    },
  };
  return source;
}

/** See `sampled`. `select` has to be the same function each time. */
export function useSampled<S, T>(store: StoreApi<S>, select: (state: S) => T, ms: number): T {
  const source = useMemo(() => sampled(store, select, ms), [store, select, ms]);
  return useSyncExternalStore(source.subscribe, source.get);
}

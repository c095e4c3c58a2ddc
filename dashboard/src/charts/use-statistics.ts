import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";

import { useBackend } from "@/app/backend";
import type { LiveState } from "@/live/state";
import { bodyOf } from "@/wire/client";

import type { Hours } from "./search";

const REFETCH_MS = 15_000;

/** The server's counts, anew every 15 seconds while they are looked at; those of another period until they are here. */
export function useStatistics(hours: Hours) {
  const { coordinator } = useBackend();
  return useQuery({
    queryKey: ["statistics", hours],
    queryFn: async ({ signal }) => {
      const statistics = await bodyOf(coordinator.GET("/statistics", { params: { query: { hours } }, signal }));
      return { hours, ...statistics };
    },
    refetchInterval: REFETCH_MS,
    placeholderData: keepPreviousData,
  });
}

const SAMPLE_MS = 2000;

export type Sample = Pick<LiveState, "sessions" | "next" | "total">;

/** The sessions as of a moment ago: they change with every event, and sums over thousands need not. */
export function useSampledSessions(): Sample {
  const { store } = useBackend().live;
  const [sample, setSample] = useState<Sample>(() => store.getState());
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const take = () => {
      timer = null;
      setSample(store.getState());
    };
    take();
    const unsubscribe = store.subscribe((state, before) => {
      if (state.sessions !== before.sessions || state.next !== before.next) timer ??= setTimeout(take, SAMPLE_MS);
    });
    return () => {
      unsubscribe();
      if (timer !== null) clearTimeout(timer);
    };
  }, [store]);
  return sample;
}

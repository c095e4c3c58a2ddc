import { useEffect, useState } from "react";
import { useStore } from "zustand";

import { useBackend } from "@/app/backend";

import { Finder, type FinderState } from "./finder";
import { OutlineReader, type OutlineState } from "./outline-reader";
import { useRetryWhenBack } from "./use-retry-when-back";

/** The whole history in short, for as long as the component is shown. */
export function useOutline(sessionId: string): OutlineState {
  const { coordinator, live } = useBackend();
  const [reader] = useState(() => new OutlineReader(coordinator, live, sessionId));
  useEffect(() => {
    reader.open();
    return () => reader.close();
  }, [reader]);
  const state = useStore(reader.store);
  useRetryWhenBack(state.error, () => void reader.retry());
  return state;
}

/** What of the whole history says something. */
export function useFinder(sessionId: string, q: string): FinderState {
  const { coordinator, live } = useBackend();
  const [finder] = useState(() => new Finder(coordinator, live, sessionId));
  useEffect(() => {
    finder.open();
    return () => finder.close();
  }, [finder]);
  useEffect(() => void finder.find(q), [finder, q]);
  const state = useStore(finder.store);
  useRetryWhenBack(state.error, () => void finder.find(q));
  return state;
}

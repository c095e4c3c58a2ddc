import { createContext, type ReactNode, useContext } from "react";
import { useStore } from "zustand";

import { type Access, type AccessState, mayChange } from "@/access/access";
import type { Live } from "@/live/live";
import type { LiveState } from "@/live/state";
import type { Addresses } from "@/wire/addresses";
import type { Coordinator, Documents } from "@/wire/client";

/** Everything that the page talks to. */
export type Backend = {
  addresses: Addresses;
  access: Access;
  coordinator: Coordinator;
  documents: Documents;
  live: Live;
};

const Context = createContext<Backend | null>(null);

export function BackendProvider({ backend, children }: { backend: Backend; children: ReactNode }) {
  return <Context value={backend}>{children}</Context>;
}

export function useBackend(): Backend {
  const backend = useContext(Context);
  if (backend === null) throw new Error("There is no BackendProvider around this component");
  return backend;
}

/** A part of the live state; the component is drawn again when that part is another. */
export function useLive<T>(select: (state: LiveState) => T): T {
  return useStore(useBackend().live.store, select);
}

/** Who is using the page, as far as the servers ask. */
export function useAccess<T>(select: (state: AccessState) => T): T {
  return useStore(useBackend().access.store, select);
}

/** Whether what changes something is to be offered. */
export const useMayChange = (): boolean => useAccess(mayChange);

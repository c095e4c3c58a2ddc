import { useEffect } from "react";

import type { Backend } from "@/app/backend";
import { announce } from "@/stop/announce";
import { askStore } from "@/stop/asks";
import { notify } from "@/ui/toasts";

/** Tells what became of the stops that were pressed in the list, where each has no banner of its own. */
export function useStopOutcomes({ live }: Backend): void {
  useEffect(
    () =>
      askStore.subscribe((state, before) => {
        for (const [id, ask] of state.asks) {
          if (ask === before.asks.get(id)) continue;
          const name = live.store.getState().sessions.get(id)?.session_name ?? id;
          if (ask.state === "answered") announce(`${name}: ${ask.message}`);
          if (ask.state === "failed")
            notify({ tone: "bad", title: `The stop of “${name}” was not accepted`, body: ask.message });
        }
      }),
    [live],
  );
}

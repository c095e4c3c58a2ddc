import { offer } from "@/files/offer";
import { notify } from "@/ui/toasts";
import type { Blueprint } from "@/wire/types";

import { fileName, fileOf, holdsValues } from "./transfer";

/** Hands an agent to the browser as a file. */
export function saveAsFile(agent: Blueprint): void {
  offer(new Blob([fileOf(agent)], { type: "application/json" }), fileName(agent.name));
  notify({
    tone: "neutral",
    title: `${fileName(agent.name)} is being saved`,
    ...(holdsValues(agent) ? { body: "It has the values of env and headers in it; mind who gets to see it." } : {}),
  });
}

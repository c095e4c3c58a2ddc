import { notify } from "@/ui/toasts";
import type { Blueprint } from "@/wire/types";

import { fileName, fileOf, holdsValues } from "./transfer";

/** Hands an agent to the browser as a file. */
export function saveAsFile(agent: Blueprint): void {
  const url = URL.createObjectURL(new Blob([fileOf(agent)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = fileName(agent.name);
  link.click();
  // The download has the bytes once the click has been worked off.
  setTimeout(() => URL.revokeObjectURL(url));
  notify({
    tone: "neutral",
    title: `${fileName(agent.name)} is being saved`,
    ...(holdsValues(agent) ? { body: "It has the values of env and headers in it; mind who gets to see it." } : {}),
  });
}

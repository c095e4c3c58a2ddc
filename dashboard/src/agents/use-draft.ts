import { useEffect, useMemo, useRef, useState } from "react";

import { checkDraft, type Draft, differences, type Field, WIRE_NAMES } from "./draft";
import { problemsFrom } from "./problems";
import type { Problem } from "./rules";

type Refusal = { problems: readonly Problem[]; of: Draft };

/** A draft that is edited, with what is wrong with it, from the first attempt to save it on. */
export function useDraft(first: Draft, { isNew, takenNames }: { isNew: boolean; takenNames: ReadonlySet<string> }) {
  const [draft, setDraft] = useState(first);
  const [attempts, setAttempts] = useState(0);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const form = useRef<HTMLFormElement>(null);

  const problems = useMemo(() => {
    const ours = attempts > 0 ? checkDraft(draft, isNew, takenNames) : [];
    if (ours.length > 0 || refusal === null) return ours;
    // What the server said of a part holds until that part is another.
    return refusal.problems.filter((problem) => stillHolds(problem, refusal.of, draft));
  }, [draft, attempts, isNew, takenNames, refusal]);

  const shown = useRef(problems);
  shown.current = problems;
  useEffect(() => {
    if (attempts > 0 && shown.current.length > 0)
      form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus();
  }, [attempts]);

  return {
    draft,
    setDraft,
    form,
    problems,
    /** Says what is wrong, if anything is; then nothing is to be sent. */
    isFit: (): boolean => {
      setRefusal(null);
      setAttempts((count) => count + 1);
      return checkDraft(draft, isNew, takenNames).length === 0;
    },
    /** Takes the server's refusal of a draft. Returns whether it was about parts of it. */
    refused: (error: unknown, of: Draft): boolean => {
      const found = problemsFrom(error, of.servers);
      if (found === null) return false;
      setRefusal({ problems: found, of });
      setAttempts((count) => count + 1);
      return true;
    },
  };
}

function stillHolds(problem: Problem, of: Draft, draft: Draft): boolean {
  const [part] = problem.path;
  if (part === "name") return of.name === draft.name;
  const field = (Object.keys(WIRE_NAMES) as Field[]).find((one) => WIRE_NAMES[one] === part);
  return field === undefined ? differences(of, draft).length === 0 : of[field] === draft[field];
}

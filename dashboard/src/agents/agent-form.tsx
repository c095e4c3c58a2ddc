import type { FormEvent, ReactNode, RefObject } from "react";

import { Field, Input, Textarea } from "@/ui/field";

import { useAgents } from "./agent-queries";
import type { Draft } from "./draft";
import { tagCounts } from "./finding";
import { messageAt, messageUnder, withoutPlace } from "./problems";
import { PromptEditor } from "./prompt-editor";
import { checkSkill, checkTag, NAME_RULE, type Problem } from "./rules";
import { ServersEditor } from "./servers-editor";
import { TokenInput } from "./token-input";

type AgentFormProps = {
  id: string;
  form: RefObject<HTMLFormElement | null>;
  draft: Draft;
  problems: readonly Problem[];
  isNew: boolean;
  onChange: (change: (draft: Draft) => Draft) => void;
  onSubmit: () => void;
  /** What stands above the fields. */
  notes?: ReactNode;
  /** What stands beside them, below tags and skills. */
  aside?: ReactNode;
};

/** The fields of an agent. */
export function AgentForm(props: AgentFormProps) {
  const { id, form, draft, problems, isNew, onChange, onSubmit, notes, aside } = props;
  const { data: agents = [] } = useAgents();
  const set = (part: Partial<Draft>) => onChange((before) => ({ ...before, ...part }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form
      id={id}
      ref={form}
      noValidate
      onSubmit={submit}
      onKeyDown={(event) => {
        if (event.key.toLowerCase() !== "s" || !(event.ctrlKey || event.metaKey) || event.shiftKey || event.altKey)
          return;
        submit(event);
      }}
      className="min-h-0 flex-1 overflow-auto px-3 pb-6 md:px-5"
    >
      <div className="flex max-w-7xl flex-col gap-4">
        {notes}
        <Verdict problems={problems} />
        <div className="grid gap-x-8 gap-y-5 lg:grid-cols-[minmax(0,1fr)_18rem]">
          <div className="flex min-w-0 flex-col gap-5">
            {isNew ? (
              <Field label="Name" hint={NAME_RULE} error={messageAt(problems, "name")}>
                {(control) => (
                  <Input
                    {...control}
                    required
                    value={draft.name}
                    autoComplete="off"
                    autoCapitalize="off"
                    spellCheck={false}
                    onChange={(event) => set({ name: event.target.value })}
                    className="max-w-md"
                  />
                )}
              </Field>
            ) : null}
            <Field label="Description" error={messageAt(problems, "description")}>
              {(control) => (
                <Textarea
                  {...control}
                  rows={2}
                  value={draft.description}
                  placeholder="What it is for, in a sentence or two."
                  onChange={(event) => set({ description: event.target.value })}
                  className="min-h-16"
                />
              )}
            </Field>
            <PromptEditor
              value={draft.prompt}
              error={messageAt(problems, "system_prompt")}
              onChange={(prompt) => set({ prompt })}
            />
            <ServersEditor servers={draft.servers} problems={problems} onChange={(servers) => set({ servers })} />
          </div>
          <div className="flex min-w-0 flex-col gap-5">
            <TokenInput
              label="Tags"
              noun="tag"
              hint="Enter or a comma adds one."
              tokens={draft.tags}
              commas
              check={checkTag}
              suggestions={tagCounts(agents).map((tag) => tag.name)}
              error={messageUnder(problems, "tags")}
              onChange={(tags) => set({ tags })}
            />
            <TokenInput
              label="Skills"
              noun="skill"
              hint="Enter adds one."
              tokens={draft.skills}
              commas={false}
              check={checkSkill}
              suggestions={[...new Set(agents.flatMap((agent) => agent.skills ?? []))].sort()}
              error={messageUnder(problems, "skills")}
              onChange={(skills) => set({ skills })}
            />
            {aside}
          </div>
        </div>
      </div>
    </form>
  );
}

/** How much is to be mended before it can be saved, and what of it has no place in the form. */
function Verdict({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0) return null;
  const elsewhere = withoutPlace(problems);
  return (
    <div role="alert" className="rounded-md bg-bad-soft px-3 py-2 text-sm text-bad">
      {problems.length === 1 ? "One thing is" : `${problems.length} things are`} to be mended before it can be saved.
      {elsewhere.map((problem) => (
        <p key={problem.message}>
          {problem.path.length > 0 ? `${problem.path.join(".")}: ` : ""}
          {problem.message}
        </p>
      ))}
    </div>
  );
}

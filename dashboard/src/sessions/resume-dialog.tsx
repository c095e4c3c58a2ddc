import { CopyButton } from "@/ui/copy-button";
import { Dialog } from "@/ui/dialog";
import type { Session } from "@/wire/types";

import { waysToResume } from "./resume";

type Props = { session: Session; open: boolean; onClose: () => void };

/** How to go on with a session. It is done where the agent runs, so this can only say how. */
export function ResumeDialog({ session, open, onClose }: Props) {
  return (
    <Dialog
      open={open}
      onOpenChange={(next) => {
        if (!next) onClose();
      }}
      title="Resume"
      description={
        session.status === "running"
          ? "The session runs. When it is over, an agent that is started under the same id goes on in it, as a new run:"
          : "An agent that is started under the same id, where it ran before, goes on in this session, as a new run:"
      }
    >
      <div className="flex flex-col gap-3">
        {waysToResume(session).map(({ title, text }) => (
          <section key={title}>
            <h3 className="mb-1 text-xs font-medium text-muted">{title}</h3>
            <Snippet text={text} label={`Copy: ${title}`} />
          </section>
        ))}
      </div>
    </Dialog>
  );
}

/** Something to type elsewhere, with a button that copies it. */
export function Snippet({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex items-start gap-2 rounded-md border border-line bg-raised py-1 pr-1 pl-3 text-left">
      <pre className="min-w-0 flex-1 py-1 font-mono text-xs leading-5 break-words whitespace-pre-wrap text-ink">
        {text}
      </pre>
      <CopyButton text={text} label={label} />
    </div>
  );
}

import { Copy, MoreHorizontal, Pencil, RotateCcw, Trash2 } from "lucide-react";
import { useState } from "react";

import { useBackend, useMayChange } from "@/app/backend";
import { IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/ui/menu";
import { notify } from "@/ui/toasts";
import { bodyOf } from "@/wire/client";
import type { Session } from "@/wire/types";

import { RenameDialog } from "./rename-dialog";
import { ResumeDialog } from "./resume-dialog";

/** What the menu has a dialog for. */
export type Chosen = "rename" | "resume" | "delete";

/** What else can be done with a session. `onDeleted` is called when it is gone. */
export function SessionMenu({ session, onDeleted }: { session: Session; onDeleted?: () => void }) {
  const [chosen, setChosen] = useState<Chosen | null>(null);
  return (
    <>
      <SessionMenuButton session={session} onChoose={setChosen} />
      <SessionDialogs session={session} chosen={chosen} onClose={() => setChosen(null)} onDeleted={onDeleted} />
    </>
  );
}

type ButtonProps = { session: Session; size?: "small" | "normal"; onChoose: (chosen: Chosen) => void };

/** The menu alone, for a list whose rows may go while a dialog is open. */
export function SessionMenuButton({ session, size = "normal", onChoose }: ButtonProps) {
  const mayChange = useMayChange();
  // After the menu has given the focus back, so that the dialog returns it to the button, too.
  const choose = (chosen: Chosen) => () => setTimeout(() => onChoose(chosen));
  return (
    <Menu
      trigger={
        <IconButton label={`More for ${session.session_name}`} title="More" size={size}>
          <MoreHorizontal className="size-4" aria-hidden />
        </IconButton>
      }
    >
      {mayChange ? (
        <MenuItem onSelect={choose("rename")}>
          <Pencil className="size-4" aria-hidden />
          Rename …
        </MenuItem>
      ) : null}
      <MenuItem onSelect={choose("resume")}>
        <RotateCcw className="size-4" aria-hidden />
        Resume …
      </MenuItem>
      <MenuItem onSelect={() => void copyId(session.session_id)}>
        <Copy className="size-4" aria-hidden />
        Copy id
      </MenuItem>
      {mayChange ? (
        <>
          <MenuSeparator />
          <MenuItem danger onSelect={choose("delete")}>
            <Trash2 className="size-4" aria-hidden />
            Delete …
          </MenuItem>
        </>
      ) : null}
    </Menu>
  );
}

type DialogsProps = {
  session: Session;
  chosen: Chosen | null;
  onClose: () => void;
  onDeleted?: (() => void) | undefined;
};

/** The dialogs behind the menu. */
export function SessionDialogs({ session, chosen, onClose, onDeleted }: DialogsProps) {
  const { coordinator } = useBackend();
  const { session_id, session_name, status } = session;
  const remove = async () => {
    await bodyOf(coordinator.DELETE("/sessions/{session_id}", { params: { path: { session_id } } }));
    notify({ tone: "good", title: `Deleted “${session_name}”` });
    onDeleted?.();
  };
  return (
    <>
      <RenameDialog session={session} open={chosen === "rename"} onClose={onClose} />
      <ResumeDialog session={session} open={chosen === "resume"} onClose={onClose} />
      <ConfirmDialog
        open={chosen === "delete"}
        onOpenChange={(open) => {
          if (!open) onClose();
        }}
        title={`Delete “${session_name}”?`}
        description={deletionWarning(1, status === "running" ? 1 : 0)}
        action="Delete"
        onConfirm={remove}
      />
    </>
  );
}

/** What has to be known before sessions are deleted. */
export function deletionWarning(count: number, running: number): string {
  const lost = `${count === 1 ? "The session and its events are" : "The sessions and their events are"} removed for good.`;
  if (running === 0) return lost;
  const who = count === 1 ? "It is still running" : `${running} of them still ${running === 1 ? "runs" : "run"}`;
  return `${lost} ${who}: deleting does not stop an agent, and what it reports later begins a new history. Stop it first.`;
}

async function copyId(id: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(id);
    notify({ tone: "good", title: "Copied the session's id", ms: 2000 });
  } catch {
    notify({ tone: "bad", title: "The browser did not allow copying.", body: id });
  }
}

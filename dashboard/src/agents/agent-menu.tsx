import { useNavigate } from "@tanstack/react-router";
import { Copy, Download, Ellipsis, Trash2 } from "lucide-react";
import { useState } from "react";

import { useMayChange } from "@/app/backend";
import { IconButton } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Menu, MenuItem, MenuSeparator } from "@/ui/menu";
import { notify } from "@/ui/toasts";
import type { Blueprint } from "@/wire/types";

import { useDeleteAgent } from "./agent-queries";
import { saveAsFile } from "./save-file";

type AgentMenuProps = { agent: Blueprint; onDeleting?: (deleting: boolean) => void; onDeleted?: () => void };

/** What else can be done with an agent. `onDeleting` is told while the server is asked, `onDeleted` when it is gone. */
export function AgentMenu({ agent, onDeleting, onDeleted }: AgentMenuProps) {
  const mayChange = useMayChange();
  const [asking, setAsking] = useState(false);
  const navigate = useNavigate({ from: "/agents" });
  const remove = useDeleteAgent();
  return (
    <>
      <Menu
        trigger={
          <IconButton label={`More for ${agent.name}`}>
            <Ellipsis className="size-4" aria-hidden />
          </IconButton>
        }
      >
        {mayChange ? (
          <MenuItem
            onSelect={() =>
              void navigate({ search: (before) => ({ ...before, open: undefined, new: true, from: agent.name }) })
            }
          >
            <Copy className="size-4" aria-hidden />
            Duplicate
          </MenuItem>
        ) : null}
        <MenuItem onSelect={() => saveAsFile(agent)}>
          <Download className="size-4" aria-hidden />
          Export
        </MenuItem>
        {mayChange ? (
          <>
            <MenuSeparator />
            <MenuItem danger onSelect={() => setAsking(true)}>
              <Trash2 className="size-4" aria-hidden />
              Delete …
            </MenuItem>
          </>
        ) : null}
      </Menu>
      <ConfirmDialog
        open={asking}
        onOpenChange={setAsking}
        title={`Delete “${agent.name}”?`}
        description="Sessions that it has had stay. A folder of that name on disk does not bring it back at the next start; creating or importing it does."
        action="Delete"
        onConfirm={async () => {
          onDeleting?.(true);
          try {
            await remove(agent.name);
          } catch (error) {
            onDeleting?.(false);
            throw error;
          }
          notify({ tone: "good", title: `Deleted “${agent.name}”` });
          onDeleted?.();
        }}
      />
    </>
  );
}

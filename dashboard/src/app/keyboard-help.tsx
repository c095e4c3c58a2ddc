import { Dialog } from "@/ui/dialog";
import { Checkbox } from "@/ui/field";
import { Kbd } from "@/ui/kbd";

import { grouped } from "./palette";
import { enableShortcuts, useCommands, useShortcutsEnabled } from "./shortcuts";

/** Which keys do what, here and now. */
export function KeyboardHelp({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const commands = useCommands().filter((command) => command.keys !== undefined);
  const enabled = useShortcutsEnabled();
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title="Keyboard">
      <div className="flex flex-col gap-4">
        {[...grouped(commands)].map(([group, members]) => (
          <section key={group}>
            <h3 className="mb-1 text-xs font-semibold text-muted">{group}</h3>
            <dl className="flex flex-col">
              {members.map((command) => (
                <div key={command.id} className="flex min-h-8 items-center justify-between gap-4">
                  <dt>{command.label}</dt>
                  <dd className="flex gap-1">
                    {command.keys?.split(" ").map((key) => (
                      <Kbd key={key}>{key}</Kbd>
                    ))}
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <div className="flex min-h-8 items-center justify-between gap-4">
          <span>Command palette, also while typing</span>
          <span className="flex gap-1">
            <Kbd>Ctrl</Kbd>
            <Kbd>K</Kbd>
          </span>
        </div>
        <div className="flex items-center gap-2 border-t border-line pt-3">
          <Checkbox id="single-keys" checked={enabled} onChange={(event) => enableShortcuts(event.target.checked)} />
          <label htmlFor="single-keys">Single keys are shortcuts</label>
        </div>
      </div>
    </Dialog>
  );
}

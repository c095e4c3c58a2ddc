import { Upload } from "lucide-react";
import { useRef, useState } from "react";

import { bytes } from "@/format/numbers";
import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";

import type { Source } from "./draft";
import { LARGEST_FILE, readFile } from "./transfer";

/** Reads a file that Export has written, and hands on what is in it. */
export function ImportButton({ onRead }: { onRead: (source: Source) => void }) {
  const input = useRef<HTMLInputElement>(null);
  const [refused, setRefused] = useState<{ file: string; problems: readonly string[] } | null>(null);
  const read = async (file: File) => {
    if (file.size > LARGEST_FILE) {
      const problems = [`It has ${bytes(file.size)}; no agent has more than ${bytes(LARGEST_FILE)}.`];
      setRefused({ file: file.name, problems });
      return;
    }
    const { source, problems } = readFile(await file.text());
    if (source === null) setRefused({ file: file.name, problems });
    else onRead(source);
  };
  return (
    <>
      <input
        ref={input}
        type="file"
        accept=".json,application/json"
        hidden
        onChange={(event) => {
          const file = event.target.files?.[0];
          // The same file can be chosen again once it has been mended.
          event.target.value = "";
          if (file) void read(file);
        }}
      />
      <Button onClick={() => input.current?.click()}>
        <Upload className="size-4" aria-hidden />
        Import
      </Button>
      <Dialog
        open={refused !== null}
        onOpenChange={(open) => {
          if (!open) setRefused(null);
        }}
        title="This file can’t be imported"
        description={refused?.file}
      >
        <ul className="flex list-disc flex-col gap-1 pl-5 text-sm break-words">
          {refused?.problems.map((problem) => (
            <li key={problem}>{problem}</li>
          ))}
        </ul>
      </Dialog>
    </>
  );
}

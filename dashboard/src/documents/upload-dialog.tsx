import { FolderOpen } from "lucide-react";
import { useRef } from "react";

import { Button } from "@/ui/button";
import { Dialog } from "@/ui/dialog";
import { Field } from "@/ui/field";

import { objectionToAny, TagInput } from "./tag-input";
import { uploads, useUploads } from "./upload-store";

type UploadDialogProps = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  onFiles: (files: File[]) => void;
  suggestions: readonly string[];
};

/** Chooses files to upload, and what they are tagged with. */
export function UploadDialog({ open, onOpenChange, onFiles, suggestions }: UploadDialogProps) {
  const input = useRef<HTMLInputElement>(null);
  const tags = useUploads((state) => state.tags);
  const objection = objectionToAny(tags);
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title="Upload documents"
      description="Choose files, or drop them anywhere on the page. Uploads go on while you look at other pages."
    >
      <div className="flex flex-col gap-4">
        <Field
          label="Tags"
          hint="Every file that is uploaded from here gets them, until you change them."
          error={objection}
        >
          {(control) => (
            <TagInput
              {...control}
              autoFocus
              tags={tags}
              onChange={(next) => uploads.setTags(next)}
              suggestions={suggestions}
            />
          )}
        </Field>
        <input
          ref={input}
          type="file"
          multiple
          hidden
          aria-label="Files to upload"
          onChange={({ target }) => {
            const files = Array.from(target.files ?? []);
            // So that the same file can be chosen again.
            target.value = "";
            if (files.length > 0) onFiles(files);
          }}
        />
        <div className="flex justify-end gap-2">
          <Button onClick={() => onOpenChange(false)}>Close</Button>
          <Button look="primary" disabled={objection !== undefined} onClick={() => input.current?.click()}>
            <FolderOpen className="size-4" aria-hidden />
            Choose files …
          </Button>
        </div>
      </div>
    </Dialog>
  );
}

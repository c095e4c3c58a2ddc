import { useStore } from "zustand";

import { notify } from "@/ui/toasts";

import { visibleName } from "./name";
import { summary, Uploads, type UploadsState } from "./uploads";

/** Whether the page that lists the uploads is shown. */
let listed = false;

/** The uploads of this window. */
export const uploads = new Uploads(
  () => new XMLHttpRequest(),
  (upload) => {
    if (listed) return;
    if (upload.state === "failed")
      notify({ tone: "bad", title: `${visibleName(upload.file.name)} was not uploaded`, body: upload.error ?? "" });
    const { under, done, failed } = summary(uploads.store.getState().uploads);
    if (under === 0 && failed === 0)
      notify({ tone: "good", title: done === 1 ? "The file is uploaded" : `All ${done} files are uploaded` });
  },
);

export const useUploads = <T>(select: (state: UploadsState) => T): T => useStore(uploads.store, select);

/** While they are listed, they are not also announced. Returns how to end that. */
export function listUploads(): () => void {
  listed = true;
  return () => {
    listed = false;
  };
}

// Leaving the window would break off what is under way; the browser asks first.
window.addEventListener("beforeunload", (event) => {
  if (summary(uploads.store.getState().uploads).under > 0) event.preventDefault();
});

/** What was dropped: files, and the names of folders, which have no bytes of their own. */
export type Dropped = { files: File[]; folders: string[] };

export const carriesFiles = (transfer: DataTransfer | null): boolean => transfer?.types.includes("Files") ?? false;

/** Must be asked while the drop is handled: what is in a drop is gone afterwards. */
export function filesOf(transfer: DataTransfer): Dropped {
  const dropped: Dropped = { files: [], folders: [] };
  for (const item of transfer.items) {
    if (item.kind !== "file") continue;
    const entry = item.webkitGetAsEntry();
    const file = item.getAsFile();
    if (entry?.isDirectory) dropped.folders.push(entry.name);
    else if (file !== null) dropped.files.push(file);
  }
  return dropped;
}

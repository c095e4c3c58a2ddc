const TAG = /^[A-Za-z0-9-]{1,64}$/;

/** Whether the server takes it for a tag. */
export const isTag = (text: string): boolean => TAG.test(text);

/** What is wrong with a tag; null when nothing is. */
export function objectionTo(tag: string): string | null {
  return isTag(tag) ? null : `“${tag}” is not a tag: use 1 to 64 letters (a–z, A–Z), digits and hyphens.`;
}

/** The tags in a text that was typed or pasted: between commas, without what is blank. */
export function tagsIn(text: string): string[] {
  return text
    .split(",")
    .map((part) => part.trim())
    .filter((part) => part !== "");
}

/** Tags in the order given, each once. */
export const together = (...lists: readonly (readonly string[])[]): string[] => [...new Set(lists.flat())];

import { type TreeNode, walk } from "./tree";

const LOWEST = 6;

/** HTML in a text is text: what somebody wrote is shown, neither interpreted nor dropped. */
export function rawAsText() {
  return (tree: TreeNode) =>
    walk(tree, (node) => {
      for (const child of node.children ?? []) {
        if (child.type !== "raw") continue;
        child.type = "text";
        if (node !== tree) continue;
        // It stood for itself, as a paragraph does.
        child.children = [{ type: "text", value: child.value ?? "" }];
        Object.assign(child, { type: "element", tagName: "p", properties: {} });
      }
    });
}

/**
 * Puts headings below the page's own: the highest becomes `first`, and no level is left out on the way down. Names that
 * the text gives to elements are taken away, since several texts share the page.
 */
export function fitIntoPage(first: number) {
  return (tree: TreeNode) => {
    const open: number[] = [];
    walk(tree, (node) => {
      if (node.properties) {
        // It leads back to the place of the note, which has lost its name.
        if (node.properties.dataFootnoteBackref !== undefined) node.children = [];
        delete node.properties.id;
        delete node.properties.ariaDescribedBy;
        delete node.properties.ariaLabelledBy;
      }
      const written = /^h([1-6])$/.exec(node.tagName ?? "")?.[1];
      if (written === undefined) return;
      const level = Number(written);
      while (open.length > 0 && (open.at(-1) ?? 0) >= level) open.pop();
      open.push(level);
      node.tagName = `h${Math.min(first + open.length - 1, LOWEST)}`;
    });
  };
}

/** Pictures in a link become its text: they are shown as links themselves, and one can't hold another. */
export function picturesInLinksAsText() {
  return (tree: TreeNode) =>
    walk(tree, (node) => {
      if (node.tagName !== "a") return;
      walk(node, (inner) => {
        if (inner.tagName !== "img") return;
        inner.type = "text";
        inner.value = nameOfPicture(inner.properties?.alt);
      });
    });
}

/** What stands for a picture. */
export function nameOfPicture(alt: unknown): string {
  return `Image: ${typeof alt === "string" && alt.trim() !== "" ? alt.trim() : "without description"}`;
}

/** An address that may become a link: http(s) and mail, absolute. Others ("javascript:", "data:", relative) are null. */
export function safeAddress(address: string | undefined): string | null {
  if (address === undefined || !/^(?:https?:\/\/|mailto:)/i.test(address)) return null;
  return URL.canParse(address) ? new URL(address).href : null;
}

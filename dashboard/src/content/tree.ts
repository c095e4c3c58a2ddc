/** As much of a hast node as is looked at here. */
export type TreeNode = {
  type: string;
  value?: string;
  tagName?: string;
  properties?: Record<string, unknown>;
  children?: TreeNode[];
};

/** The text of a node and all that is in it. */
export function textOf(node: TreeNode): string {
  let text = "";
  walk(node, (one) => {
    if (one.type === "text") text += one.value ?? "";
  });
  return text;
}

/** In the order of the text, without recursion: a text can be nested deeper than the call stack. */
export function walk(root: TreeNode, visit: (node: TreeNode) => void): void {
  const waiting = [root];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    visit(node);
    const children = node.children ?? [];
    for (let index = children.length - 1; index >= 0; index -= 1) {
      const child = children[index];
      if (child !== undefined) waiting.push(child);
    }
  }
}

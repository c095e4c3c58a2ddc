/** First in the document, so that nothing in it is read before: no scripts, nothing from anywhere. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";

/** Elements that load, embed or redirect. The sandbox and the policy forbid it; without them nothing is left to forbid. */
const REMOVED = "script,noscript,iframe,frame,frameset,object,embed,applet,portal,link,base,meta,template";

/**
 * The document as it may be shown in an `<iframe sandbox="">`: it has no scripts, loads nothing, and leads nowhere.
 *
 * @param nonce the page's, whose policy holds for the frame, too: styles need it. Null where the page has none.
 */
export function sandboxedDocument(html: string, nonce: string | null): string {
  const parsed = new DOMParser().parseFromString(html, "text/html");
  for (const element of parsed.querySelectorAll(REMOVED)) element.remove();
  for (const element of parsed.querySelectorAll("*")) {
    for (const name of element.getAttributeNames()) {
      if (/^on/i.test(name) || isAddress(name, element.getAttribute(name) ?? "")) element.removeAttribute(name);
    }
  }
  if (nonce !== null) {
    moveStyles(parsed);
    for (const style of parsed.querySelectorAll("style")) style.setAttribute("nonce", nonce);
  }
  // Serialised without its doctype and parsed again: what that changes stays within the sandbox and the policy.
  return `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">${parsed.documentElement.outerHTML}`;
}

/** Makes rules of style attributes, which can't have a nonce. */
function moveStyles(parsed: Document): void {
  const rules: string[] = [];
  for (const element of parsed.querySelectorAll("[style]")) {
    rules.push(`[data-styled="${rules.length}"] { ${element.getAttribute("style")} }`);
    element.setAttribute("data-styled", String(rules.length - 1));
    element.removeAttribute("style");
  }
  const style = parsed.createElement("style");
  style.textContent = rules.join("\n").replaceAll("<", "\\3c ");
  parsed.head.append(style);
}

/** Whether the attribute leads out of the document. What is in it (#part, data: pictures) may stay. */
function isAddress(name: string, value: string): boolean {
  if (/^(?:href|xlink:href)$/i.test(name)) return !value.startsWith("#");
  if (/^(?:src|poster|background)$/i.test(name)) return !/^data:image\//i.test(value);
  return /^(?:srcset|srcdoc|action|formaction|ping|target|http-equiv)$/i.test(name);
}

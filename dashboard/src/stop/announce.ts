/**
 * Says something to screen readers, politely.
 *
 * There is one live region for all: rows of a list come and go, and a region that comes with its text is not read.
 */
export function announce(text: string): void {
  const region = document.getElementById(ID) ?? addRegion();
  // The same words twice are no change, and would not be read again.
  region.textContent = region.textContent === text ? `${text}\u00a0` : text;
}

const ID = "announcements";

function addRegion(): HTMLElement {
  const region = document.createElement("div");
  region.id = ID;
  region.className = "sr-only";
  region.setAttribute("role", "status");
  region.setAttribute("aria-live", "polite");
  document.body.append(region);
  return region;
}

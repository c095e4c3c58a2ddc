const KEY = "agent-orchestrator-token";

/** Where a token is between one load of the page and the next. */
export type TokenKeeper = {
  read: () => string | null;
  write: (token: string) => void;
  forget: () => void;
};

/**
 * This tab's memory: it outlives a reload, ends with the tab, and no other tab sees it. A browser that keeps nothing
 * asks again after a reload.
 */
export const tabKeeper: TokenKeeper = {
  read: () => attempt(() => sessionStorage.getItem(KEY)),
  write: (token) => void attempt(() => sessionStorage.setItem(KEY, token)),
  forget: () => void attempt(() => sessionStorage.removeItem(KEY)),
};

function attempt<T>(use: () => T): T | null {
  try {
    return use();
  } catch (error) {
    // Storage is forbidden, or full.
    if (!(error instanceof DOMException)) throw error;
    return null;
  }
}

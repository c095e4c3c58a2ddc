/** Where the servers are, as absolute URLs without a slash at the end. */
export type Addresses = { api: string; documents: string; socket: string };

type Environment = Pick<
  ImportMetaEnv,
  "VITE_AGENT_ORCHESTRATOR_API_URL" | "VITE_DOCUMENT_SERVER_URL" | "VITE_WEBSOCKET_URL"
>;

const DEFAULT_API = "http://localhost:8765";
const DEFAULT_DOCUMENTS = "http://localhost:8766";

/** A placeholder that no coordinator has filled in: the page was served by something else. */
const UNFILLED = "%";

/**
 * What the build was told comes first, then what the coordinator that serves the page says, then the contract's
 * defaults.
 *
 * @param meta the content of the page's `<meta name="documents-url">`; the coordinator fills it in.
 */
export function addressesFrom(environment: Environment, meta: string | null, location: { origin: string }): Addresses {
  const served = meta !== null && meta !== "" && !meta.startsWith(UNFILLED);
  const api = withoutSlash(environment.VITE_AGENT_ORCHESTRATOR_API_URL || (served ? location.origin : DEFAULT_API));
  const documents = withoutSlash(environment.VITE_DOCUMENT_SERVER_URL || (served ? meta : DEFAULT_DOCUMENTS));
  const socket = environment.VITE_WEBSOCKET_URL || `${api.replace(/^http/, "ws")}/ws`;
  return { api, documents, socket };
}

/** Where the servers are for this page. */
export function findAddresses(): Addresses {
  const meta = document.querySelector('meta[name="documents-url"]')?.getAttribute("content") ?? null;
  return addressesFrom(import.meta.env, meta, window.location);
}

function withoutSlash(url: string): string {
  return url.replace(/\/+$/, "");
}

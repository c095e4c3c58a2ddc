import type { Send } from "@/wire/client";

import { type Access, identityOf } from "./access";
import { headersOf } from "./questions";

/** How a refusal says that it is for the role's sake (RFC 6750); others are for the page's address, for instance. */
const ROLE_REFUSED = "insufficient_scope";

/**
 * Sends requests with the token. What only reads waits while nobody is signed in, and is asked again with the next
 * token; what changes something fails, for whoever signs in may not be who wanted it.
 */
export function guardedSend(access: Access): Send {
  return async (request) => {
    const reads = request.method === "GET" || request.method === "HEAD";
    for (;;) {
      if (reads) await access.ready(request.signal);
      const { token } = access;
      const response = await fetch(withToken(request, token));
      if (response.status === 401 && (await access.refused(token)) && reads) continue;
      const words = await roleRefusal(access, response.status, response.headers.get("WWW-Authenticate"));
      return words === null ? response : Response.json({ detail: words }, { status: 403 });
    }
  };
}

/** What to say when the token's role does not allow something; null when that is not what the server says. */
export async function roleRefusal(access: Access, status: number, challenge: string | null): Promise<string | null> {
  if (status !== 403 || !challenge?.includes(ROLE_REFUSED)) return null;
  // The role may have become another.
  await access.find();
  const role = identityOf(access.store.getState())?.role;
  return `Your token may not do this${role === undefined ? "" : ` (role ${role})`}`;
}

function withToken(request: Request, token: string | null): Request {
  request.headers.delete("Authorization");
  for (const [name, value] of Object.entries(headersOf(token))) request.headers.set(name, value);
  return request;
}

import { vi } from "vitest";

import type { Role } from "@/wire/types";

/** A server that knows some tokens, by their roles; without any it asks for none. */
export class FakeServer {
  away = false;
  readonly asked: { path: string; method: string; token: string | null }[] = [];

  constructor(readonly tokens: Map<string, Role>) {
    vi.stubGlobal("fetch", (input: Request | string, init?: RequestInit) => this.#answer(new Request(input, init)));
  }

  async #answer(request: Request): Promise<Response> {
    const { pathname: path } = new URL(request.url);
    const token = request.headers.get("Authorization")?.replace("Bearer ", "") ?? null;
    this.asked.push({ path, method: request.method, token });
    if (this.away) throw new TypeError("Failed to fetch");
    if (this.tokens.size === 0)
      return path === "/whoami"
        ? Response.json({ authentication: "none", name: null, role: "operator" })
        : Response.json({ path });
    const role = token === null ? undefined : this.tokens.get(token);
    if (role === undefined) return Response.json({ detail: "not known" }, { status: 401 });
    if (path === "/whoami") return Response.json({ authentication: "token", name: `of ${token}`, role });
    if (role !== "operator" && request.method !== "GET" && path !== "/ws-ticket")
      return Response.json(
        { detail: "The token has the role viewer; this needs operator" },
        { status: 403, headers: { "WWW-Authenticate": 'Bearer error="insufficient_scope"' } },
      );
    if (path === "/ws-ticket") return Response.json({ ticket: `for ${token}`, expires_in: 30 });
    return Response.json({ path, token });
  }

  /** What was asked for, in order. */
  get paths(): string[] {
    return this.asked.map(({ path }) => path);
  }
}

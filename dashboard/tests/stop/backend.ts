import { vi } from "vitest";

import type { Backend } from "@/app/backend";
import { Live } from "@/live/live";
import { createCoordinator, createDocuments } from "@/wire/client";
import type { Role, Session } from "@/wire/types";

import { accessOf } from "../access/access-of";
import { FakePlatform } from "../live/fake-platform";

/** A backend that no server is behind, with somebody of the role in it: what is asked of it can be looked at, and answered. */
export function fakeBackend(sessions: readonly Session[] = [], role: Role = "operator") {
  const requests: { method: string; path: string; body: unknown }[] = [];
  const answers: ((response: Response) => void)[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    const text = await request.clone().text();
    const { pathname } = new URL(request.url);
    requests.push({ method: request.method, path: pathname, body: text ? JSON.parse(text) : null });
    return new Promise<Response>((resolve) => answers.push(resolve));
  });
  const coordinator = createCoordinator("http://api");
  const live = new Live("ws://api/ws", coordinator, new FakePlatform());
  live.store.setState({ sessions: new Map(sessions.map((one) => [one.session_id, one])), generation: 1 });
  const access = accessOf(role);
  const backend: Backend = {
    access,
    addresses: { api: "http://api", documents: "http://documents", socket: "ws://api/ws" },
    coordinator,
    documents: createDocuments("http://documents"),
    live,
  };
  const answer = (status: number, body: unknown) => answers.shift()?.(Response.json(body, { status }));
  return { backend, requests, answer };
}

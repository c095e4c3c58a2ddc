import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, cleanup, renderHook, waitFor } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach, beforeEach, expect, test } from "vitest";

import { useAgents, useSwitchAgent, withAgent } from "@/agents/agent-queries";
import { type Backend, BackendProvider } from "@/app/backend";
import type { Blueprint } from "@/wire/types";

const agent = (name: string, status: Blueprint["status"] = "active"): Blueprint => ({
  name,
  description: "",
  system_prompt: null,
  mcp_servers: null,
  skills: null,
  tags: [],
  status,
  created_at: "2026-01-24T10:00:00.000000+00:00",
  modified_at: "2026-01-24T10:00:00.000000+00:00",
});

/** A server whose answer to a change of status is given by the test. */
class FakeServer {
  agents = [agent("one"), agent("two")];
  /** The list is answered once; what is shown after that is what the page makes of it. */
  lists = 1;
  answer: (status: number, body: unknown) => void = () => undefined;

  readonly coordinator = {
    GET: async () => {
      this.lists -= 1;
      if (this.lists < 0) await new Promise(() => undefined);
      return { data: this.agents, response: new Response() };
    },
    PATCH: () =>
      new Promise((resolve) => {
        this.answer = (status, body) =>
          resolve({ data: status < 400 ? body : undefined, error: body, response: new Response(null, { status }) });
      }),
  };
}

let server: FakeServer;
let queries: QueryClient;

beforeEach(() => {
  server = new FakeServer();
  queries = new QueryClient({ defaultOptions: { queries: { retry: false } } });
});
afterEach(() => {
  cleanup();
  queries.clear();
});

async function open() {
  // Only what is asked for here is there.
  const backend = { coordinator: server.coordinator } as unknown as Backend;
  const wrapper = ({ children }: { children: ReactNode }) => (
    <QueryClientProvider client={queries}>
      <BackendProvider backend={backend}>{children}</BackendProvider>
    </QueryClientProvider>
  );
  const { result } = renderHook(() => ({ list: useAgents(), flip: useSwitchAgent() }), { wrapper });
  await waitFor(() => expect(result.current.list.data).toHaveLength(2));
  return {
    statuses: () => result.current.list.data?.map((one) => one.status),
    flip: () => act(async () => result.current.flip.mutate({ name: "one", status: "inactive" })),
  };
}

test("a switch shows at once, and stays when the server has taken it", async () => {
  const page = await open();
  await page.flip();
  await waitFor(() => expect(page.statuses()).toEqual(["inactive", "active"]));
  await act(async () => server.answer(200, agent("one", "inactive")));
  expect(page.statuses()).toEqual(["inactive", "active"]);
});

test("a switch that is refused is taken back, and other changes are not", async () => {
  const page = await open();
  await page.flip();
  await waitFor(() => expect(page.statuses()).toEqual(["inactive", "active"]));
  act(() => {
    queries.setQueryData(["agents"], [agent("one", "inactive"), agent("two", "inactive")]);
  });
  await act(async () => server.answer(503, { detail: "Redis is away" }));
  await waitFor(() => expect(page.statuses()).toEqual(["active", "inactive"]));
});

test("an agent that the server answered takes its place by name", () => {
  const list = [agent("b"), agent("d")];
  expect(withAgent(list, agent("c")).map((one) => one.name)).toEqual(["b", "c", "d"]);
  expect(withAgent(list, agent("d", "inactive"))[1]?.status).toBe("inactive");
});

import { type QueryClient, useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { useBackend } from "@/app/backend";
import { messageOf } from "@/ui/error-note";
import { notify } from "@/ui/toasts";
import { bodyOf } from "@/wire/client";
import type { Blueprint, BlueprintCreate } from "@/wire/types";

/** Messages of agents that come, go or change outdate it; see `app/queries.ts`. */
const KEY = ["agents"] as const;

/** All agents, by name. */
export function useAgents() {
  const { coordinator } = useBackend();
  return useQuery({ queryKey: KEY, queryFn: ({ signal }) => bodyOf(coordinator.GET("/agents", { signal })) });
}

/** The list with an agent as the server has just answered it. */
export function withAgent(agents: readonly Blueprint[], agent: Blueprint): Blueprint[] {
  const others = agents.filter((one) => one.name !== agent.name);
  return [...others, agent].sort((one, other) => (one.name < other.name ? -1 : 1));
}

function keep(queries: QueryClient, agent: Blueprint): void {
  queries.setQueryData<Blueprint[]>(KEY, (agents) => (agents === undefined ? agents : withAgent(agents, agent)));
}

export function useCreateAgent() {
  const { coordinator } = useBackend();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: BlueprintCreate) => bodyOf(coordinator.POST("/agents", { body })),
    onSuccess: (agent) => keep(queries, agent),
    onSettled: () => void queries.invalidateQueries({ queryKey: KEY }),
  });
}

export function useChangeAgent(name: string) {
  const { coordinator } = useBackend();
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: Partial<BlueprintCreate>) =>
      bodyOf(coordinator.PATCH("/agents/{name}", { params: { path: { name } }, body })),
    onSuccess: (agent) => keep(queries, agent),
    onSettled: () => void queries.invalidateQueries({ queryKey: KEY }),
  });
}

/** Deletes an agent; the answer is awaited by who asked. */
export function useDeleteAgent() {
  const { coordinator } = useBackend();
  const queries = useQueryClient();
  return async (name: string): Promise<void> => {
    await bodyOf(coordinator.DELETE("/agents/{name}", { params: { path: { name } } }));
    queries.setQueryData<Blueprint[]>(KEY, (agents) => agents?.filter((one) => one.name !== name));
  };
}

type Switch = { name: string; status: Blueprint["status"] };

/** Switches an agent on or off: shown at once, and taken back with the server's words if it refuses. */
export function useSwitchAgent() {
  const { coordinator } = useBackend();
  const queries = useQueryClient();
  const show = ({ name, status }: Switch) =>
    queries.setQueryData<Blueprint[]>(KEY, (agents) =>
      agents?.map((agent) => (agent.name === name ? { ...agent, status } : agent)),
    );
  return useMutation({
    mutationFn: ({ name, status }: Switch) =>
      bodyOf(coordinator.PATCH("/agents/{name}/status", { params: { path: { name } }, body: { status } })),
    onMutate: async ({ name, status }) => {
      // An answer that is on its way would put the old state back on the screen.
      await queries.cancelQueries({ queryKey: KEY });
      show({ name, status });
    },
    onError: (error, { name, status }) => {
      const before = status === "active" ? "inactive" : "active";
      show({ name, status: before });
      notify({ tone: "bad", title: `“${name}” is still ${before}`, body: messageOf(error) });
    },
    onSuccess: (agent) => keep(queries, agent),
    onSettled: () => void queries.invalidateQueries({ queryKey: KEY }),
  });
}

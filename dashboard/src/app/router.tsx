import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  Link,
  lazyRouteComponent,
  redirect,
} from "@tanstack/react-router";

import { readAgentsSearch } from "@/agents/search";
import { readChartsSearch } from "@/charts/search";
import { readDocumentsSearch } from "@/documents/search";
import { readTimelineSearch } from "@/session/search";
import { readSessionsSearch } from "@/sessions/search";
import { ErrorNote } from "@/ui/error-note";
import { PageHeader } from "@/ui/page";

import { Shell } from "./shell";

const root = createRootRoute({
  component: Shell,
  notFoundComponent: () => (
    <div className="flex flex-col items-start gap-3 p-4">
      <PageHeader title="There is no such page" />
      <Link to="/sessions" className="text-accent underline">
        To the sessions
      </Link>
    </div>
  ),
});

const index = createRoute({
  getParentRoute: () => root,
  path: "/",
  beforeLoad: () => {
    throw redirect({ to: "/sessions" });
  },
});

const sessions = createRoute({
  getParentRoute: () => root,
  path: "/sessions",
  validateSearch: readSessionsSearch,
  component: lazyRouteComponent(() => import("@/sessions/page"), "SessionsPage"),
});

const session = createRoute({
  getParentRoute: () => root,
  path: "/sessions/$sessionId",
  validateSearch: readTimelineSearch,
  component: lazyRouteComponent(() => import("@/session/page"), "SessionPage"),
});

const charts = createRoute({
  getParentRoute: () => root,
  path: "/charts",
  validateSearch: readChartsSearch,
  component: lazyRouteComponent(() => import("@/charts/page"), "ChartsPage"),
});

const documents = createRoute({
  getParentRoute: () => root,
  path: "/documents",
  validateSearch: readDocumentsSearch,
  component: lazyRouteComponent(() => import("@/documents/page"), "DocumentsPage"),
});

const agents = createRoute({
  getParentRoute: () => root,
  path: "/agents",
  validateSearch: readAgentsSearch,
  component: lazyRouteComponent(() => import("@/agents/page"), "AgentsPage"),
});

/** The pages. Addresses are in the fragment: the coordinator's own paths, such as /sessions, are the API's. */
export const router = createRouter({
  routeTree: root.addChildren([index, sessions, session, charts, documents, agents]),
  history: createHashHistory(),
  defaultPreload: "intent",
  defaultErrorComponent: ({ error, reset }) => (
    <div className="p-6">
      <ErrorNote error={error} onRetry={reset} />
    </div>
  ),
  defaultPendingComponent: () => <p className="p-6 text-muted">Loading …</p>,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}

import { useParams } from "@tanstack/react-router";

import { Empty } from "@/ui/empty";
import { ErrorNote, messageOf } from "@/ui/error-note";
import { PageHeader } from "@/ui/page";

import { BackLink } from "./back-link";
import { SessionView } from "./session-view";
import { useSession } from "./use-session";

/** One session, live. */
export function SessionPage() {
  const { sessionId } = useParams({ from: "/sessions/$sessionId" });
  return <Session key={sessionId} sessionId={sessionId} />;
}

function Session({ sessionId }: { sessionId: string }) {
  const { session, gone, error } = useSession(sessionId);
  if (session !== null) return <SessionView session={session} gone={gone} />;
  return (
    <div className="flex h-full flex-col gap-4 overflow-auto p-4">
      <PageHeader title="Session" />
      {error === null ? (
        <p className="text-muted">Loading …</p>
      ) : gone ? (
        <Empty title={messageOf(error)}>
          <p>It was deleted, or nothing has reported under this id yet. When something does, it appears here.</p>
          <BackLink />
        </Empty>
      ) : (
        <ErrorNote error={error} />
      )}
    </div>
  );
}

import { Link } from "@tanstack/react-router";
import { ArrowLeft } from "lucide-react";
import type { ReactNode } from "react";

import { Button } from "@/ui/button";
import { PageHeader } from "@/ui/page";

/** The top of an agent's page: the way back, its name, and what can be done. */
export function EditorHeader({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-start gap-1 border-b border-line px-3 pt-2 pb-3 md:px-5 md:pt-4">
      <Button asChild look="quiet" size="small" className="-ml-2">
        <Link
          from="/agents"
          to="/agents"
          search={(before) => ({ ...before, open: undefined, new: undefined, from: undefined })}
        >
          <ArrowLeft className="size-3.5" aria-hidden />
          Agents
        </Link>
      </Button>
      <div className="w-full">
        <PageHeader title={title}>{children}</PageHeader>
      </div>
    </div>
  );
}

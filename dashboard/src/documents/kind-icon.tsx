import {
  File,
  FileArchive,
  FileBraces,
  FileCode,
  FileImage,
  FileSpreadsheet,
  FileText,
  type LucideIcon,
} from "lucide-react";

import { cn } from "@/ui/cn";
import type { DocumentInfo } from "@/wire/types";

import { type Kind, kindOf } from "./kind";

const ICONS: Record<Kind, { Icon: LucideIcon; colour: string }> = {
  image: { Icon: FileImage, colour: "text-kind-4" },
  text: { Icon: FileText, colour: "text-kind-5" },
  code: { Icon: FileCode, colour: "text-kind-1" },
  data: { Icon: FileBraces, colour: "text-kind-3" },
  table: { Icon: FileSpreadsheet, colour: "text-kind-2" },
  pdf: { Icon: FileText, colour: "text-bad" },
  archive: { Icon: FileArchive, colour: "text-kind-6" },
  other: { Icon: File, colour: "text-kind-6" },
};

/** What kind of file it is, at a glance; the type stands beside it in words. */
export function KindIcon({ document, className = "size-4" }: { document: DocumentInfo; className?: string }) {
  const { Icon, colour } = ICONS[kindOf(document.content_type, document.filename)];
  return <Icon className={cn("shrink-0", colour, className)} aria-hidden />;
}

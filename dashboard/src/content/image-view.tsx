import { useEffect, useState } from "react";

import { ErrorNote } from "@/ui/error-note";

/** A picture, drawn by the browser as a picture: what is in an SVG can't run, load or be reached. */
export function ImageView({ blob, type, filename }: { blob: Blob; type: string; filename: string }) {
  const url = useAddress(blob, type);
  const [state, setState] = useState<{ width: number; height: number } | "broken" | null>(null);
  if (state === "broken")
    return <ErrorNote error={new Error("This picture is damaged, or none that browsers show.")} />;
  return (
    <figure className="flex min-w-0 flex-col gap-2">
      <div className="grid min-h-24 place-items-center overflow-hidden rounded-md border border-line bg-raised p-3">
        {url === null ? null : (
          <img
            src={url}
            alt={filename}
            className="max-h-[75dvh] max-w-full object-contain"
            onLoad={({ currentTarget }) =>
              setState({ width: currentTarget.naturalWidth, height: currentTarget.naturalHeight })
            }
            onError={() => setState("broken")}
          />
        )}
      </div>
      {/* An SVG may have no size of its own. */}
      {state === null || state.width === 0 ? null : (
        <figcaption className="text-xs text-muted tabular-nums">
          {state.width} × {state.height}
        </figcaption>
      )}
    </figure>
  );
}

/** An address for the blob, as the given type; it is gone when the component is. */
function useAddress(blob: Blob, type: string): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    const made = URL.createObjectURL(new Blob([blob], { type }));
    setUrl(made);
    return () => URL.revokeObjectURL(made);
  }, [blob, type]);
  return url;
}

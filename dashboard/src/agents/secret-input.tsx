import { Eye, EyeOff } from "lucide-react";
import { type ComponentProps, useState } from "react";

import { IconButton } from "@/ui/button";
import { Input, Textarea } from "@/ui/field";

type SecretInputProps = Pick<ComponentProps<"input">, "aria-invalid" | "aria-describedby"> & {
  /** Whose value it is, for screen readers. */
  label: string;
  value: string;
  onChange: (value: string) => void;
};

/** A value that may be a secret: dots until somebody asks to see it. */
export function SecretInput({ label, value, onChange, ...rest }: SecretInputProps) {
  const [shown, setShown] = useState(false);
  // A password field would drop the line breaks of a key, so such a value can be changed only where it is seen.
  const lines = value.split("\n").length;
  return (
    <div className="flex min-w-0 flex-1 items-start gap-1">
      {shown && lines > 1 ? (
        <Textarea
          aria-label={label}
          value={value}
          spellCheck={false}
          onChange={(event) => onChange(event.target.value)}
          className="min-h-9 font-mono text-xs"
          {...rest}
        />
      ) : (
        <Input
          aria-label={label}
          type={shown ? "text" : "password"}
          value={value}
          readOnly={lines > 1}
          autoComplete="off"
          data-1p-ignore
          data-lpignore="true"
          spellCheck={false}
          placeholder="value"
          title={lines > 1 ? `${lines} lines; show them to edit` : undefined}
          onChange={(event) => onChange(event.target.value)}
          className="font-mono text-xs"
          {...rest}
        />
      )}
      <IconButton label={shown ? `Hide ${label}` : `Show ${label}`} onClick={() => setShown(!shown)}>
        {shown ? <EyeOff className="size-4" aria-hidden /> : <Eye className="size-4" aria-hidden />}
      </IconButton>
    </div>
  );
}

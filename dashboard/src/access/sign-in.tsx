import { KeyRound } from "lucide-react";
import { type FormEvent, useEffect, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";

import { useAccess, useBackend } from "@/app/backend";
import icon from "@/app/icon.svg";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { Field, Input } from "@/ui/field";
import type { Role } from "@/wire/types";

import { typedToken } from "./typed-token";

const COMMAND = "agent-orchestrator token create NAME --role viewer";
const NO_TOKEN = "A token is one word of letters, digits and signs, such as aot_…";

const ROLES: readonly { role: Role; may: string }[] = [
  { role: "viewer", may: "reads everything, and follows it live" },
  { role: "operator", may: "also stops, edits, uploads and deletes" },
  { role: "agent", may: "reports what an agent does, and can’t sign in here" },
];

/** Asks for a token, above all else there is. */
export function SignIn() {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useTitle("Sign in · Agent orchestrator");

  // Modal for the browser itself: what is below can't be reached, not even a dialog that holds the focus.
  useLayoutEffect(() => {
    const { current } = dialog;
    current?.showModal();
    input.current?.focus();
    // The focus goes back to where it was.
    return () => current?.close();
  }, []);

  return createPortal(
    <dialog
      ref={dialog}
      aria-labelledby="sign-in"
      closedby="none"
      onCancel={(event) => event.preventDefault()}
      // Browsers close it with Escape all the same when it is pressed twice.
      onClose={({ currentTarget }) => {
        if (currentTarget.isConnected && !currentTarget.open) currentTarget.showModal();
      }}
      // The page's own keys are not for here.
      onKeyDown={(event) => event.stopPropagation()}
      className="pointer-events-auto fixed inset-0 m-0 size-full max-h-none max-w-none overflow-y-auto bg-ground text-ink backdrop:bg-ground"
    >
      <div className="mx-auto flex min-h-full w-full max-w-md flex-col justify-center gap-5 px-4 py-8">
        <div className="flex items-center gap-2 font-semibold">
          <img src={icon} alt="" className="size-6" />
          Agents, live
        </div>
        <div className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-5 shadow-pop">
          <Heading />
          <TokenForm input={input} />
        </div>
        <About />
      </div>
    </dialog>,
    document.body,
  );
}

function Heading() {
  const { addresses } = useBackend();
  const why = useAccess((state) => (state.phase === "out" ? state.why : null));
  return (
    <div className="flex flex-col gap-3">
      <h1 id="sign-in" className="text-lg font-semibold">
        Sign in
      </h1>
      {why === null ? (
        <p className="text-muted">
          <span className="font-mono text-xs break-all text-ink">{new URL(addresses.api).host}</span> asks for a token.
        </p>
      ) : (
        <p role="alert" className="rounded-md bg-warn-soft px-3 py-2 break-words text-warn">
          {why}
        </p>
      )}
    </div>
  );
}

function TokenForm({ input }: { input: React.RefObject<HTMLInputElement | null> }) {
  const { access, addresses } = useBackend();
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | undefined>();
  const [busy, setBusy] = useState(false);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (busy) return;
    const token = typedToken(text);
    setBusy(true);
    // The same words again are to be read out again.
    setProblem(undefined);
    const wrong = token === null ? NO_TOKEN : await access.signIn(token);
    if (wrong === null) return;
    setBusy(false);
    setProblem(wrong);
    input.current?.select();
  };
  return (
    <form className="flex flex-col gap-4" onSubmit={(event) => void submit(event)}>
      {/* So that a password manager knows one server's token from another's. */}
      <input
        type="text"
        name="username"
        autoComplete="username"
        hidden
        readOnly
        value={`Agents at ${new URL(addresses.api).host}`}
      />
      <Field label="Token" hint="Kept in this tab only, until it is closed or you sign out." error={problem}>
        {(control) => (
          <Input
            {...control}
            ref={input}
            type="password"
            name="password"
            autoComplete="current-password"
            autoCapitalize="off"
            spellCheck={false}
            required
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        )}
      </Field>
      <Button type="submit" look="primary" aria-disabled={busy}>
        <KeyRound className="size-4" aria-hidden />
        {busy ? "Checking …" : "Sign in"}
      </Button>
    </form>
  );
}

function About() {
  return (
    <div className="flex flex-col gap-4 px-1 text-xs text-muted">
      <section className="flex flex-col gap-1.5">
        <h2 className="font-medium text-ink">Where a token comes from</h2>
        <p>Whoever runs the server makes it, there:</p>
        <div className="flex items-center gap-1 rounded-md border border-line bg-surface py-1 pr-1 pl-3">
          <code className="min-w-0 flex-1 font-mono text-ink">
            {COMMAND.split(/ (?=NAME)/).map((part) => (
              // An option does not break at its hyphens.
              <span key={part} className="inline-block pr-[1ch]">
                {part}
              </span>
            ))}
          </code>
          <CopyButton text={COMMAND} label="Copy the command" />
        </div>
      </section>
      <section className="flex flex-col gap-1.5">
        <h2 className="font-medium text-ink">What its role lets you do</h2>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-3 gap-y-1">
          {ROLES.map(({ role, may }) => (
            <div key={role} className="contents">
              <dt className="font-mono text-ink">{role}</dt>
              <dd>{may}</dd>
            </div>
          ))}
        </dl>
      </section>
    </div>
  );
}

/** The tab's title meanwhile. */
function useTitle(title: string): void {
  useEffect(() => {
    const before = document.title;
    document.title = title;
    return () => {
      // A page that has come meanwhile has its own.
      if (document.title === title) document.title = before;
    };
  }, [title]);
}

import { CircleUser, LogOut } from "lucide-react";

import { useAccess, useBackend } from "@/app/backend";
import { useOffer } from "@/app/shortcuts";
import { Button } from "@/ui/button";
import { Menu, MenuItem } from "@/ui/menu";

import type { Access } from "./access";
import { identityOf } from "./access";

/** Whose token the page uses, and the way out. Nothing where no token is asked for. */
export function SignedIn() {
  const { access } = useBackend();
  const identity = useAccess(identityOf);
  const needed = identity?.authentication === "token";
  const leave = () => signOut(access);
  useOffer(needed ? [{ id: "sign-out", group: "General", label: "Sign out", run: leave }] : []);
  if (identity === null || !needed) return null;
  const who = `${identity.name}, ${identity.role}`;
  return (
    <Menu
      trigger={
        <Button
          look="quiet"
          aria-label={`Signed in as ${who}`}
          title={`Signed in as ${who}`}
          className="max-md:size-9 max-md:px-0 md:w-full md:justify-start md:px-2"
        >
          <CircleUser className="size-4 shrink-0" aria-hidden />
          <span className="hidden min-w-0 truncate font-normal md:block">
            <span className="text-ink">{identity.name}</span> · {identity.role}
          </span>
        </Button>
      }
    >
      <p className="max-w-64 px-2 py-1.5 text-xs break-words text-muted md:hidden">{who}</p>
      <MenuItem onSelect={leave}>
        <LogOut className="size-4" aria-hidden />
        Sign out
      </MenuItem>
    </Menu>
  );
}

/** Forgets the token, and by loading the page anew all that was read with it. */
function signOut(access: Access): void {
  access.forget();
  window.location.reload();
}

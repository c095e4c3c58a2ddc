import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import {
  Activity,
  Bot,
  ChartColumn,
  Command as CommandIcon,
  FileText,
  Keyboard,
  Moon,
  Sun,
  SunMoon,
} from "lucide-react";
import { type ReactNode, useEffect, useState } from "react";

import { SignedIn } from "@/access/signed-in";
import { IconButton } from "@/ui/button";
import { Menu, MenuItem } from "@/ui/menu";
import { Toasts } from "@/ui/toasts";

import { ConnectionBadge } from "./connection-badge";
import icon from "./icon.svg";
import { KeyboardHelp } from "./keyboard-help";
import { Palette } from "./palette";
import { listenForKeys, useOffer } from "./shortcuts";
import { chooseTheme, chosenTheme, type Theme, useShownTheme } from "./theme";

/** What is around every page: the ways to the others, the state of the connection, keys and theme. */
export function Shell() {
  const [palette, setPalette] = useState(false);
  const [help, setHelp] = useState(false);
  const navigate = useNavigate();
  useEffect(listenForKeys, []);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey)
        return;
      event.preventDefault();
      setPalette((shown) => !shown);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, []);
  useOffer([
    {
      id: "go-sessions",
      group: "Go to",
      label: "Sessions",
      keys: "g s",
      run: () => void navigate({ to: "/sessions" }),
    },
    { id: "go-charts", group: "Go to", label: "Charts", keys: "g c", run: () => void navigate({ to: "/charts" }) },
    {
      id: "go-documents",
      group: "Go to",
      label: "Documents",
      keys: "g d",
      run: () => void navigate({ to: "/documents" }),
    },
    { id: "go-agents", group: "Go to", label: "Agents", keys: "g a", run: () => void navigate({ to: "/agents" }) },
    { id: "keyboard", group: "General", label: "Keyboard shortcuts", keys: "?", run: () => setHelp(true) },
    { id: "theme-light", group: "General", label: "Light theme", run: () => chooseTheme("light") },
    { id: "theme-dark", group: "General", label: "Dark theme", run: () => chooseTheme("dark") },
    { id: "theme-system", group: "General", label: "The system's theme", run: () => chooseTheme("system") },
  ]);
  return (
    <div className="flex h-full flex-col md:flex-row">
      <button
        type="button"
        onClick={() => document.getElementById("main")?.focus()}
        className="sr-only focus:not-sr-only focus:fixed focus:top-2 focus:left-2 focus:z-50 focus:rounded-md focus:bg-surface focus:px-3 focus:py-2"
      >
        Skip to the page's content
      </button>
      <header className="flex shrink-0 items-center gap-2 border-b border-line bg-surface px-3 py-1.5 md:w-52 md:flex-col md:items-stretch md:gap-4 md:border-r md:border-b-0 md:px-3 md:py-4">
        <div className="hidden items-center gap-2 px-2 font-semibold md:flex">
          <img src={icon} alt="" className="size-6" />
          Agents, live
        </div>
        <nav aria-label="Pages" className="hidden flex-col gap-0.5 md:flex">
          <Pages look="side" />
        </nav>
        <div className="flex min-w-0 flex-1 items-center gap-1 md:mt-auto md:flex-none md:flex-col md:items-stretch md:gap-2">
          <div className="mr-auto min-w-0 md:mr-0 md:px-2">
            <ConnectionBadge />
          </div>
          <SignedIn />
          <div className="flex items-center gap-0.5">
            <IconButton label="Commands (Ctrl+K)" onClick={() => setPalette(true)}>
              <CommandIcon className="size-4" aria-hidden />
            </IconButton>
            <span className="hidden md:inline">
              <IconButton label="Keyboard shortcuts (?)" onClick={() => setHelp(true)}>
                <Keyboard className="size-4" aria-hidden />
              </IconButton>
            </span>
            <ThemeMenu />
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1} className="min-h-0 min-w-0 flex-1 overflow-hidden outline-none">
        <Outlet />
      </main>
      <nav
        aria-label="Pages"
        className="flex shrink-0 border-t border-line bg-surface pb-[env(safe-area-inset-bottom)] md:hidden"
      >
        <Pages look="bottom" />
      </nav>
      <Palette open={palette} onOpenChange={setPalette} />
      <KeyboardHelp open={help} onOpenChange={setHelp} />
      <Toasts />
    </div>
  );
}

const PAGES: readonly { to: "/sessions" | "/charts" | "/documents" | "/agents"; label: string; icon: ReactNode }[] = [
  { to: "/sessions", label: "Sessions", icon: <Activity className="size-4" aria-hidden /> },
  { to: "/documents", label: "Documents", icon: <FileText className="size-4" aria-hidden /> },
  { to: "/agents", label: "Agents", icon: <Bot className="size-4" aria-hidden /> },
  { to: "/charts", label: "Charts", icon: <ChartColumn className="size-4" aria-hidden /> },
];

function Pages({ look }: { look: "side" | "bottom" }) {
  const place =
    look === "side"
      ? "flex h-9 items-center gap-2.5 rounded-md px-2"
      : "flex min-h-12 flex-1 flex-col items-center justify-center gap-0.5 text-xs";
  return PAGES.map(({ to, label, icon }) => (
    <Link
      key={to}
      to={to}
      activeOptions={{ includeSearch: false }}
      className={`${place} text-muted hover:text-ink aria-[current=page]:font-medium aria-[current=page]:text-accent ${look === "side" ? "hover:bg-raised aria-[current=page]:bg-accent-soft" : ""}`}
    >
      {icon}
      {label}
    </Link>
  ));
}

const THEMES: readonly { theme: Theme; label: string; icon: ReactNode }[] = [
  { theme: "light", label: "Light", icon: <Sun className="size-4" aria-hidden /> },
  { theme: "dark", label: "Dark", icon: <Moon className="size-4" aria-hidden /> },
  { theme: "system", label: "As the system", icon: <SunMoon className="size-4" aria-hidden /> },
];

function ThemeMenu() {
  const shown = useShownTheme();
  const chosen = chosenTheme();
  return (
    <Menu
      trigger={
        <IconButton label="Theme">
          {shown === "dark" ? <Moon className="size-4" aria-hidden /> : <Sun className="size-4" aria-hidden />}
        </IconButton>
      }
    >
      {THEMES.map(({ theme, label, icon }) => (
        <MenuItem key={theme} onSelect={() => chooseTheme(theme)}>
          {icon}
          {label}
          {theme === chosen ? <span className="ml-auto text-xs text-muted">chosen</span> : null}
        </MenuItem>
      ))}
    </Menu>
  );
}

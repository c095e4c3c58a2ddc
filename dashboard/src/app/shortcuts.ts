import { useEffect, useRef } from "react";
import { useStore } from "zustand";
import { createStore } from "zustand/vanilla";

/** Something that can be done by key, and from the command palette. */
export type Command = {
  id: string;
  label: string;
  /** Under which heading it is listed. */
  group: string;
  /** As `KeyboardEvent.key` has it: "j", "/", "?", "Enter"; two keys one after the other: "g s". */
  keys?: string;
  run: () => void;
};

const KEY = "single-key-shortcuts";
/** How long the second key of two may take. */
const SEQUENCE_MS = 1000;

type State = { commands: readonly Command[]; enabled: boolean };

export const commandStore = createStore<State>(() => ({ commands: [], enabled: readEnabled() }));

export const useCommands = (): readonly Command[] => useStore(commandStore, (state) => state.commands);
export const useShortcutsEnabled = (): boolean => useStore(commandStore, (state) => state.enabled);

/** Turns single keys on or off: who dictates, or shares a keyboard with a screen reader, needs that (WCAG 2.1.4). */
export function enableShortcuts(enabled: boolean): void {
  try {
    localStorage.setItem(KEY, enabled ? "on" : "off");
  } catch {
    // It holds until the page is left.
  }
  commandStore.setState({ enabled });
}

function readEnabled(): boolean {
  try {
    return localStorage.getItem(KEY) !== "off";
  } catch {
    return true;
  }
}

/** Offers commands while the component is shown. What was offered last wins where two want the same key. */
export function useOffer(commands: readonly Command[]): void {
  const latest = useRef(commands);
  latest.current = commands;
  const signature = commands.map((command) => `${command.id} ${command.label} ${command.keys}`).join("\n");
  // biome-ignore lint/correctness/useExhaustiveDependencies: the commands are taken anew when what they say changes
  useEffect(() => {
    const offered = latest.current.map((command) => ({
      ...command,
      run: () => latest.current.find((one) => one.id === command.id)?.run(),
    }));
    commandStore.setState((state) => ({ commands: [...state.commands, ...offered] }));
    return () => {
      commandStore.setState((state) => ({ commands: state.commands.filter((one) => !offered.includes(one)) }));
    };
  }, [signature]);
}

/** Runs commands by their keys, except while something is typed or a dialog is open. Returns how to end that. */
export function listenForKeys(): () => void {
  let first: { key: string; at: number } | null = null;
  const onKey = (event: KeyboardEvent) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (isTaken(event) || document.querySelector('[role="dialog"],[role="alertdialog"],[role="menu"]')) return;
    const { commands, enabled } = commandStore.getState();
    if (!enabled) return;
    const pair = first !== null && event.timeStamp - first.at < SEQUENCE_MS ? `${first.key} ${event.key}` : null;
    first = { key: event.key, at: event.timeStamp };
    const command = commands.findLast((one) => one.keys === pair) ?? commands.findLast((one) => one.keys === event.key);
    if (command === undefined) return;
    first = null;
    event.preventDefault();
    command.run();
  };
  window.addEventListener("keydown", onKey);
  return () => window.removeEventListener("keydown", onKey);
}

/** Boxes that are ticked take no letters. */
const TYPED_INTO = 'input:not([type="checkbox"],[type="radio"]),textarea,select,[contenteditable="true"]';
const PRESSED = "button,a[href],summary,[role='button'],[role='option'],[role='tab']";

/** Whether the key means something to where the focus is: it is typed, or presses a button. */
function isTaken({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.closest(TYPED_INTO) !== null || ((key === "Enter" || key === " ") && target.closest(PRESSED) !== null);
}

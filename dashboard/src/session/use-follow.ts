import { type RefObject, useCallback, useMemo, useRef, useState } from "react";

/** Whoever is this close to the end is at it, give or take a rounding. */
const AT_END_PX = 2;
/** A scrollbar that was dragged up by more than this was meant to be. */
const AWAY_PX = 80;

export type Follow = {
  /** The newest item is kept in view. */
  following: boolean;
  /** Follows, until the reader moves away. */
  start: () => void;
  /** Stays where it is, until the reader comes to the end. */
  hold: () => void;
  /** For the element that scrolls. */
  handlers: {
    onScroll: () => void;
    onWheel: (event: { deltaY: number }) => void;
    onPointerDown: () => void;
    onTouchMove: () => void;
    onKeyDownCapture: (event: { key: string }) => void;
  };
};

const UPWARDS = new Set(["PageUp", "ArrowUp", "Home"]);

/**
 * Follow mode: on at the end, off as soon as the reader moves up, however little.
 *
 * @param complete whether the list's end is the history's.
 */
export function useFollow(scroller: RefObject<HTMLElement | null>, complete: boolean, initially: boolean): Follow {
  const [following, setFollowing] = useState(initially);
  const top = useRef(0);
  const height = useRef(0);
  // What the page scrolls to by itself does not count as the reader's coming to the end.
  const held = useRef(!initially);

  const start = useCallback(() => {
    held.current = false;
    setFollowing(true);
  }, []);
  const hold = useCallback(() => {
    held.current = true;
    setFollowing(false);
  }, []);
  const handlers = useMemo(() => {
    const touched = () => {
      held.current = false;
    };
    return {
      onScroll: () => {
        const element = scroller.current;
        if (element === null) return;
        const up = element.scrollTop < top.current;
        // When rows go or turn out to be lower, the place changes without anybody moving.
        const moved = element.scrollHeight === height.current;
        top.current = element.scrollTop;
        height.current = element.scrollHeight;
        if (up && moved && distanceOf(element) > AWAY_PX) {
          // What the page does to its own rows it has put right by the frame after this.
          afterThisFrame(() => {
            if (distanceOf(element) > AWAY_PX) setFollowing(false);
          });
        } else if (!up && distanceOf(element) <= AT_END_PX && complete && !held.current) setFollowing(true);
      },
      onWheel: ({ deltaY }: { deltaY: number }) => {
        touched();
        if (deltaY < 0) setFollowing(false);
      },
      onPointerDown: touched,
      onTouchMove: () => {
        touched();
        const element = scroller.current;
        if (element !== null && element.scrollTop < top.current) setFollowing(false);
      },
      onKeyDownCapture: ({ key }: { key: string }) => {
        touched();
        if (UPWARDS.has(key)) setFollowing(false);
      },
    };
  }, [scroller, complete]);
  return { following, start, hold, handlers };
}

function distanceOf(element: HTMLElement): number {
  return element.scrollHeight - element.clientHeight - element.scrollTop;
}

function afterThisFrame(run: () => void): void {
  requestAnimationFrame(() => requestAnimationFrame(run));
}

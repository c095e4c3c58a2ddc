import { whole } from "@/format/numbers";
import { Button } from "@/ui/button";

/** The way back to the newest event, and how many have come since one left it. */
export function FollowButton(props: { unseen: number; running: boolean; onFollow: () => void }) {
  const { unseen, running, onFollow } = props;
  const action = running ? "Follow" : "To the end";
  return (
    <div className="pointer-events-none absolute inset-x-0 bottom-3 flex justify-center">
      <Button size="small" className="pointer-events-auto shadow-pop" onClick={onFollow}>
        {unseen === 0 ? action : `${whole(unseen)} new · ${action.toLowerCase()}`}
      </Button>
    </div>
  );
}

import { Link } from "@tanstack/react-router";

export function BackLink() {
  return (
    <Link to="/sessions" className="text-accent underline">
      Back to the sessions
    </Link>
  );
}

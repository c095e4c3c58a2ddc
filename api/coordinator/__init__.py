"""The coordinator, port 8765: events in, sessions and blueprints kept, every change out to the browsers."""

"""The HTTP and WebSocket side: the coordinator, the documents server, and the command line that runs them."""

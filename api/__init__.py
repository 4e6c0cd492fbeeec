"""HTTP and WebSocket: parse, authorise, call, answer."""

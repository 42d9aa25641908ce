"""Router drivers: the protocol, the pure planner and renderer, and one module per kind of router."""

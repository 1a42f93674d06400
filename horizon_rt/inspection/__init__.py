"""What a net costs, how far it sees, and what it looks at when it places the horizon."""

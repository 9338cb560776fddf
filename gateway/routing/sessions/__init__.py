"""Session affinity: which model a conversation is pinned to, and what a change of model costs."""

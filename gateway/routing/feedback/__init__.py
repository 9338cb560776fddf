"""Labels for answers, from facts about the answer and from what its client does next."""

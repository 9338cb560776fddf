"""What can be told of an answer's quality without asking anyone: from the answer, and from what is asked next."""

"""From what a request is and what is known of the models to a decision."""

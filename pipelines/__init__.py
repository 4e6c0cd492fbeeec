"""What each agent does: one agent type a file, and the pipeline they share."""

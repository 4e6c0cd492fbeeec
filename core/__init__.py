"""Everyone's tools: settings, database, errors, tasks, log, money, time, identifiers."""

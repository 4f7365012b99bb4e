"""Where the parts are put together: simulated neighbourhoods, and what the commands do."""

"""The data concentrator: finds, secures and reads devices, and hands on what it read."""

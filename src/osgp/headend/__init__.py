"""The head-end: keeps what concentrators collect, and hands it on."""

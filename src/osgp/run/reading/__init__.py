"""Reading a real meter on a local port: what `osgp read` and its neighbours put together."""

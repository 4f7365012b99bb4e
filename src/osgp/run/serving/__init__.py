"""A virtual meter on local ports: what `osgp meter serve` puts together."""

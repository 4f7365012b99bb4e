"""`osgp bridge`: meters on local ports, to MQTT (Home Assistant), Prometheus and HTTP."""

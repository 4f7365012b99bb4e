"""What tests of several packages share: strategies, drivers, simulated devices."""

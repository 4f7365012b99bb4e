"""The virtual device: what a meter measures, keeps, answers and decides."""

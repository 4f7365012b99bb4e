"""Security suites, keys and access rights (clause 6, Annexes E and F): pure, sans-IO."""

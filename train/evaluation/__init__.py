"""Models and scans -> figures: protocols, calibration, where the maps point, what is refused."""

"""What a training is shown: scans in other geometry and grey levels, without and with tumours."""

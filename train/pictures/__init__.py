"""What a training is shown: scans in other geometry and grey levels, without and with tumours."""

# Counts up when other pictures are drawn: figures measured before are of other ones then.
VERSION = 1

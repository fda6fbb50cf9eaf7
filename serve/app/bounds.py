"""How much a visitor may send at once."""

MAX_BYTES = 64 * 2**20  # of a file: a volume; a slice has less than one MB
MOST_FILES = 200

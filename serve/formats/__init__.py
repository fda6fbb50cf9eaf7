"""Files, bytes and arrays -> the RGB pixels that the model reads."""

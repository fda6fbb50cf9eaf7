"""How fast each engine is, beside what people would pick instead."""

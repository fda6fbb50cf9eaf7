"""An archive of scans on any number of machines: python -m serve.archive SOURCE... --output DIR"""

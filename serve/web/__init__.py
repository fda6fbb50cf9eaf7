"""The page that needs no server: made by build.py, shown by server.py."""

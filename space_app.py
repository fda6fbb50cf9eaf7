"""The public demo, as a Hugging Face Space runs it: python space_app.py"""

from serve.app.page import main

if __name__ == "__main__":
    main()

"""What is on disk: the dataset and other collections, whose slice is whose, copies, folds."""

"""Pictures that are no brain MRI, to test a refusal with."""

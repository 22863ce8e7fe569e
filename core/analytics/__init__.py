"""Measures of what trading brought and risked."""

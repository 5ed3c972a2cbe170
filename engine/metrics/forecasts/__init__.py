"""Errors of forecasts, their quantiles, and bands around them."""

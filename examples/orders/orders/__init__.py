"""Keeps orders in a DynamoDB table."""

"""Takes payments; logs and counts them with AWS Lambda Powertools."""

"""Extensions: participants beside the runtime."""

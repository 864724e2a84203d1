"""From analyst reports to a small fine-tuned model whose every number is verified."""

__version__ = "0.1.0"

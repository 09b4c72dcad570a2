"""What is on the Kafka topics, and how it gets there and back: used by connectors and pipeline alike."""

"""A real Apache Kafka on loopback for laptops and tests, without Docker."""

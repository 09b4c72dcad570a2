"""Packaging of Dijla. Dataflow takes this file as --setup_file, so everything a worker needs stands here."""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="dijla",
    version="0.1.0",
    description="Streaming OSINT pipeline: news feeds and posts in, Baghdad security events with their evidence out",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    python_requires=">=3.11,<3.13",
    packages=find_packages(include=["pipeline", "pipeline.*", "connectors", "connectors.*", "schemas", "schemas.*"]),
    package_data={"pipeline": ["*.toml", "languages/*", "events/*", "places/*", "profiles/*", "broker/*.xml"], "schemas": ["*.avsc", "released/*", "py.typed"]},
    install_requires=[
        "apache-beam>=2.77,<2.78",  # the runner's behaviour is part of our contract: docs/decisions.md
        "kafka-python[crc32c,lz4]>=3.0.12,<4",
        "feedparser>=6.0.14,<7",
        "langdetect>=1.0.9,<2",
        "py3langid>=0.4,<0.5",  # its model votes on languages
        "fastavro>=1.13.1,<2",
        "ahocorasick_rs>=1.0.3,<2",  # multi-pattern matching
        "click>=8.1,<9",  # command line
        "courlan>=1.4,<2",  # canonical URLs
        "httpx>=0.28,<1",  # collecting, schema registry, tokens
        "httpcore>=1.0.9,<2",  # connections to checked addresses
        "inscriptis>=2.7,<3",  # HTML to text
        "msgspec>=0.20,<1",  # records in flight and in state; records to and from plain values
        "numpy>=1.26,<3",
        "prometheus_client>=0.22,<1",  # metrics
        "psutil>=7,<8",  # processes of the local broker
        "pydantic>=2.9,<3",  # settings and data files
        "rich>=13.9,<16",  # tables, progress
        "tomli>=2.2,<3",  # data files, read by every worker
        "trafilatura>=2.0,<3",  # articles of web pages
        "lxml>=5.3,<7",  # web previews
        "lxml_html_clean>=0.4,<1",  # what trafilatura needs of lxml since it moved out
        "warcio>=1.7.5,<2",
        "websockets>=15,<17",  # streams
        "zstandard>=0.23,<1",
        "charset-normalizer>=3.4,<4",
        "tzdata>=2024.2",
    ],
    extras_require={
        "dev": [
            "hypothesis>=6.150,<7",
            "mypy>=1.18,<3",
            "pytest>=9,<10",
            "pytest-timeout>=2.4,<3",
            "pytest-xdist>=3.8,<4",
            "ruff>=0.14,<1",
            "trustme>=1.2,<2",
            "types-psutil",
        ],
        "bench": ["bytewax>=0.21,<0.22", "datasketch>=2,<3", "gaoya>=0.2,<0.3", "rensa>=0.5,<0.6"],
    },
    entry_points={"console_scripts": ["dijla = pipeline.cli:main"]},
    classifiers=["License :: OSI Approved :: Apache Software License", "Programming Language :: Python :: 3.11"],
)

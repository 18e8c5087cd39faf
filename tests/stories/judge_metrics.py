"""Reads OpenMetrics on standard input by the Prometheus project's own parser, and prints each
sample's name, so that what does not follow the format ends in an exception."""

import sys

from prometheus_client.openmetrics.parser import text_string_to_metric_families

for family in text_string_to_metric_families(sys.stdin.read()):
    assert family.documentation, family.name
    for sample in family.samples:
        print(sample.name)

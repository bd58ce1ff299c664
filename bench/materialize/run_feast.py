"""
Loads a Parquet file into Redis by Feast's materialize: run_feast.py <spec.json>. The definitions are applied before the clock starts. Prints one
line of JSON.
"""

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from datetime import datetime, timedelta, timezone

os.environ["FEAST_USAGE"] = "False"
warnings.filterwarnings("ignore")

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: E402
from feast import types as t  # noqa: E402

spec = json.load(open(sys.argv[1]))
TYPES = {"int64": t.Int64, "float64": t.Float64, "float32": t.Float32, "string": t.String, "bool": t.Bool}


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(
            config=RepoConfig(
                project=spec["project"],
                provider="local",
                registry=f"{folder}/registry.db",
                online_store={"type": "redis", "connection_string": spec["redis"]},
                offline_store={"type": spec["offline"]},
                entity_key_serialization_version=3,
            )
        )
        user = Entity(name=spec["key"], join_keys=[spec["key"]], value_type=ValueType.INT64)
        view = FeatureView(
            name=spec["view"],
            entities=[user],
            ttl=timedelta(days=0),
            schema=[Field(name=spec["key"], dtype=t.Int64)]
            + [Field(name=name, dtype=TYPES[type_]) for name, type_ in spec["features"].items()],
            source=FileSource(name="rows", path=spec["parquet"], timestamp_field="event_timestamp"),
        )
        store.apply([user, view])
        start = datetime(2025, 1, 1, tzinfo=timezone.utc)
        end = datetime(2027, 1, 1, tzinfo=timezone.utc)
        # Its progress bar goes to the output, where the one line is expected.
        out, sys.stdout = sys.stdout, sys.stderr
        began, began_cpu = time.perf_counter(), cpu()
        store.materialize(start, end)
        seconds, used = time.perf_counter() - began, cpu() - began_cpu
        sys.stdout = out
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "cpu": used, "peakMiB": peak}))


main()

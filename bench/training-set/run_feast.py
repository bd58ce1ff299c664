"""
Joins a spec by Feast's get_historical_features: run_feast.py <spec.json> <out.parquet> <duckdb|dask> <limit of memory in GiB>. Timed until
Feast has given its DataFrame; it is written afterwards, to be compared. Prints one line of JSON.
"""

import json
import os
import resource
import sys
import tempfile
import time
import warnings
from datetime import timedelta

os.environ["FEAST_USAGE"] = "False"
warnings.filterwarnings("ignore")
_, spec_path, out, store_type, limit = sys.argv
# A join that explodes must not take the machine with it.
resource.setrlimit(resource.RLIMIT_AS, (int(limit) << 30, int(limit) << 30))

import pandas as pd  # noqa: E402
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType  # noqa: E402
from feast import types as t  # noqa: E402

spec = json.load(open(spec_path))
TIME = "event_timestamp"
TYPES = {"int32": t.Int32, "int64": t.Int64, "float64": t.Float64, "string": t.String, "bool": t.Bool}
VALUES = {"int64": ValueType.INT64, "string": ValueType.STRING}


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main():
    with tempfile.TemporaryDirectory() as folder:
        store = FeatureStore(
            config=RepoConfig(
                project="bench",
                provider="local",
                registry=f"{folder}/registry.db",
                online_store={"type": "sqlite", "path": f"{folder}/online.db"},
                offline_store={"type": store_type},
                entity_key_serialization_version=3,
            )
        )
        made, refs, names, entities = {}, [], {}, {}
        for view in spec["views"]:
            keys = list(view["on"].values())
            for key in keys:
                entities.setdefault(key, Entity(name=key, join_keys=[key], value_type=VALUES[view["schema"][key]]))
            if view["name"] not in made:
                made[view["name"]] = FeatureView(
                    name=view["name"],
                    entities=[entities[key] for key in keys],
                    ttl=timedelta(seconds=view["ttlSeconds"]),
                    schema=[Field(name=name, dtype=TYPES[type_]) for name, type_ in view["schema"].items() if name != TIME],
                    source=FileSource(name=f"{view['name']}_source", path=view["path"], timestamp_field=TIME),
                )
            roles = {feature: spine for spine, feature in view["on"].items() if spine != feature}
            alias = view["name"] if not roles else "_".join([view["name"], *roles.values()])
            projected = made[view["name"]][list(view["features"])]
            if roles:
                projected = projected.with_name(alias).with_join_key_map(roles)
            refs.append(projected)
            for name, output in view["features"].items():
                names[f"{alias}__{name}"] = output
        store.apply([*entities.values(), *made.values()])
        from feast import FeatureService

        service = FeatureService(name="bench", features=refs)
        store.apply([service])
        began, began_cpu = time.perf_counter(), cpu()
        labels = pd.read_parquet(spec["labels"]["path"])
        frame = store.get_historical_features(entity_df=labels, features=service, full_feature_names=True).to_df()
        seconds, used = time.perf_counter() - began, cpu() - began_cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        frame = frame.rename(columns=names)
        keys = [name for name in spec["labels"]["schema"] if name != "label"]
        frame[[*keys, *names.values(), "label"]].to_parquet(out)
        print(json.dumps({"seconds": seconds, "cpu": used, "peakMiB": peak, "rows": len(frame)}))


try:
    main()
except BaseException as error:
    words = f"{type(error).__name__}: {error}"
    print(json.dumps({"failed": "out of memory" if "emory" in words or "alloc" in words else words[:300]}))

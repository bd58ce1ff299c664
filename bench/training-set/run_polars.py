"""Joins a spec by polars' join_asof and writes Parquet: run_polars.py <spec.json> <out.parquet>. Prints one line of JSON."""

import json
import resource
import sys
import time

import polars as pl

spec = json.load(open(sys.argv[1]))
TIME = "event_timestamp"


def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


began, began_cpu = time.perf_counter(), cpu()
frame = pl.scan_parquet(spec["labels"]["path"]).sort(TIME)
for view in spec["views"]:
    on = list(view["on"].items())
    keys = [feature for _, feature in on]
    columns = [pl.col(name).alias(out) for name, out in view["features"].items()]
    right = pl.scan_parquet(view["path"]).select([*[pl.col(key).alias(f"__{key}") for key in keys], TIME, *columns])
    frame = frame.join_asof(
        right.sort(TIME),
        on=TIME,
        by_left=[spine for spine, _ in on],
        by_right=[f"__{key}" for key in keys],
        strategy="backward",
        tolerance=f"{view['ttlSeconds']}s" if view["ttlSeconds"] > 0 else None,
        check_sortedness=False,
    )
outputs = [out for view in spec["views"] for out in view["features"].values()]
keys = [name for name in spec["labels"]["schema"] if name != "label"]
result = frame.select([*keys, *outputs, "label"]).collect()
result.write_parquet(sys.argv[2], compression="zstd")
seconds, used = time.perf_counter() - began, cpu() - began_cpu
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"seconds": seconds, "cpu": used, "peakMiB": peak, "rows": result.height}))

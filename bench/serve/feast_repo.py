"""Registers the bench's view with Feast's SDK: feast_repo.py <feature_store.yaml>."""

import sys
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, ValueType
from feast.types import Float64, Int64

user = Entity(name="user", join_keys=["user_id"], value_type=ValueType.INT64)
view = FeatureView(
    name="user_features",
    entities=[user],
    ttl=timedelta(days=7),
    source=FileSource(name="rows", path="rows.parquet", timestamp_field="at"),
    schema=[Field(name="user_id", dtype=Int64)]
    + [Field(name=f"f_{i}", dtype=Int64 if i % 2 == 0 else Float64) for i in range(10)],
)
FeatureStore(fs_yaml_file=Path(sys.argv[1])).apply([user, view])

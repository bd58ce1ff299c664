"""The Feast SDK over its Postgres online store, as a process that a test talks to: a line of JSON in, a line of JSON out.

Values cross as pairs of Feast's field and a text that loses nothing: decimal digits, hexadecimal bytes, big-endian bytes of floats.
"""
import json
import os
import struct
import sys
import tempfile
from datetime import datetime, timedelta, timezone

from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast import types

EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
DTYPES = {
    "bool": types.Bool, "int32": types.Int32, "int64": types.Int64, "float32": types.Float32,
    "float64": types.Float64, "string": types.String, "bytes": types.Bytes, "timestamp": types.UnixTimestamp,
}
FIELDS = {
    "bool": "bool_val", "int32": "int32_val", "int64": "int64_val", "float32": "float_val", "float64": "double_val",
    "string": "string_val", "bytes": "bytes_val", "timestamp": "unix_timestamp_val",
}
ENTITY_TYPES = {
    "int32": ValueType.INT32, "int64": ValueType.INT64, "string": ValueType.STRING, "bytes": ValueType.BYTES,
    "timestamp": ValueType.UNIX_TIMESTAMP,
}
stores = {}
store = None
views = {}


def item_in(kind, text):
    if kind == "bool":
        return text == "true"
    if kind in ("int32", "int64", "timestamp"):
        return int(text)
    if kind == "float32":
        return struct.unpack(">f", bytes.fromhex(text))[0]
    if kind == "float64":
        return struct.unpack(">d", bytes.fromhex(text))[0]
    return bytes.fromhex(text) if kind == "bytes" else text


def item_out(kind, value):
    if kind == "bool":
        return "true" if value else "false"
    if kind in ("int32", "int64", "timestamp"):
        return str(value)
    if kind == "float32":
        return struct.pack(">f", value).hex()
    if kind == "float64":
        return struct.pack(">d", value).hex()
    return value.hex() if kind == "bytes" else value


def to_proto(kind, text):
    proto = Value()
    if text is None:
        return proto
    if kind.startswith("list<"):
        item = kind[5:-1]
        field = getattr(proto, FIELDS[item].replace("_val", "_list_val"))
        field.SetInParent()
        field.val.extend(item_in(item, each) for each in text)
    else:
        setattr(proto, FIELDS[kind], item_in(kind, text))
    return proto


def from_proto(kind, proto):
    which = proto.WhichOneof("val")
    if which is None:
        return None
    item = kind[5:-1] if kind.startswith("list<") else kind
    expected = FIELDS[item].replace("_val", "_list_val") if kind.startswith("list<") else FIELDS[item]
    if which != expected:
        return "the field " + which
    value = getattr(proto, which)
    return [item_out(item, each) for each in value.val] if kind.startswith("list<") else item_out(item, value)


def dtype(kind):
    return types.Array(DTYPES[kind[5:-1]]) if kind.startswith("list<") else DTYPES[kind]


def instant(micros):
    return None if micros is None else EPOCH + timedelta(microseconds=int(micros))


def open_store(given):
    folder = tempfile.mkdtemp(prefix="feast-", dir=os.environ.get("FEAST_FOLDER"))
    stores[given["version"]] = FeatureStore(config=RepoConfig(
        project=given["project"], registry=os.path.join(folder, "registry.db"), provider="local",
        offline_store={"type": "dask"}, online_store={**given["server"], "type": "postgres", "sslmode": "disable"},
        entity_key_serialization_version=given["version"], repo_path=folder,
    ))


def apply(given):
    objects = []
    for view in given["views"]:
        entities = [Entity(name="e_" + k["name"], join_keys=[k["name"]], value_type=ENTITY_TYPES[k["type"]]) for k in view["joinKeys"]]
        schema = [Field(name=f["name"], dtype=dtype(f["type"])) for f in view["joinKeys"] + view["features"]]
        made = FeatureView(
            name=view["name"], entities=entities, schema=schema, ttl=timedelta(0),
            source=FileSource(name="s_" + view["name"], path="nothing.parquet", timestamp_field="event_timestamp"),
        )
        views[view["name"]] = view
        objects += [*entities, made]
    store.apply(objects)


def write(given):
    view = views[given["view"]]
    data = []
    for row in given["rows"]:
        key = EntityKey(
            join_keys=[k["name"] for k in view["joinKeys"]],
            entity_values=[to_proto(k["type"], v) for k, v in zip(view["joinKeys"], row["key"])],
        )
        values = {f["name"]: to_proto(f["type"], v) for f, v in zip(view["features"], row["values"])}
        data.append((key, values, instant(row["eventTime"]), instant(row["createdTime"])))
    table = store.get_feature_view(view["name"])
    store._get_provider().online_write_batch(store.config, table, data, None)


def key_of(kind, text):
    if kind == "timestamp":
        return EPOCH + timedelta(seconds=int(text))
    return item_in(kind, text)


def read(given):
    view = views[given["view"]]
    features = [f for f in view["features"] if f["name"] in given["features"]]
    rows = [{k["name"]: key_of(k["type"], v) for k, v in zip(view["joinKeys"], key)} for key in given["keys"]]
    response = store.get_online_features(
        features=[view["name"] + ":" + f["name"] for f in features], entity_rows=rows
    ).proto
    names = list(response.metadata.feature_names.val)
    columns = []
    for feature in features:
        result = response.results[names.index(feature["name"])]
        columns.append([
            {
                "value": from_proto(feature["type"], value), "status": int(status),
                "micros": str(stamp.seconds * 1000000 + stamp.nanos // 1000),
            }
            for value, status, stamp in zip(result.values, result.statuses, result.event_timestamps)
        ])
    return columns


def text_of(given):
    """What the store writes into value_text."""
    from feast.infra.online_stores.helpers import extract_text_and_num
    return [extract_text_and_num(to_proto(given["type"], each), True)[0] for each in given["values"]]


COMMANDS = {"open": open_store, "apply": apply, "write": write, "read": read, "text": text_of}
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    command = json.loads(line)
    store = stores.get(command["version"])
    try:
        answer = {"ok": COMMANDS[command["do"]](command)}
    except Exception as error:
        answer = {"error": f"{type(error).__name__}: {error}"}
        if store is not None:
            with_connection = store._get_provider().online_store
            if getattr(with_connection, "_conn", None) is not None:
                with_connection._conn.rollback()
    answers.write(json.dumps(answer) + "\n")
    answers.flush()

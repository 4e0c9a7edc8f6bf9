"""Runs a command on a table with pyiceberg: check, append, expire, create. Reads a JSON request from standard input and prints a JSON result on the last line.

{"command": "check", "catalog": {"name": ..., properties...}, "table": "ns.name", "id": "event_id", "filter": "site_id = 'x'"}
"""

import hashlib
import json
import random
import sys
import uuid
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc
from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NamespaceAlreadyExistsError
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, IdentityTransform
from pyiceberg.types import (
    DateType, DecimalType, IntegerType, LongType, BooleanType, MapType, NestedField, StringType, TimestampType, TimestamptzType,
)


def digest(value):
    return int(hashlib.md5(value.encode()).hexdigest()[:7], 16)


def string_numbers(column):
    values = column.drop_null()
    counts = [(each["values"].as_py(), each["counts"].as_py()) for each in pc.value_counts(values)]
    return {
        "kind": "string",
        "nonNull": len(values),
        "codePoints": str(sum(len(value) * n for value, n in counts)),
        "digest": str(sum(digest(value) * n for value, n in counts)),
    }


def number_numbers(column):
    kind = column.type
    if pa.types.is_timestamp(kind):
        column = column.cast(pa.int64())
    elif pa.types.is_date32(kind):
        column = column.cast(pa.int32())
    values = column.drop_null().to_pylist()
    # Python adds integers of any size and decimals exactly.
    to_string = (lambda value: str(int(value))) if not pa.types.is_decimal(kind) else (lambda value: f"{value:f}")
    total = sum(values, Decimal(0).scaleb(-kind.scale)) if pa.types.is_decimal(kind) and values else sum(values)
    return {
        "kind": "number",
        "nonNull": len(values),
        "sum": to_string(total) if values else None,
        "min": to_string(min(values)) if values else None,
        "max": to_string(max(values)) if values else None,
    }


def map_numbers(column):
    maps = column.drop_null().to_pylist()
    entries = [entry for each in maps for entry in each]
    return {
        "kind": "map",
        "nonNull": len(maps),
        "entries": len(entries),
        "nullValues": sum(value is None for _, value in entries),
        "codePoints": str(sum(len(value) for _, value in entries if value is not None)),
        "digest": str(sum(digest(key if value is None else f"{key}={value}") for key, value in entries)),
    }


def column_numbers(column):
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return string_numbers(column)
    if pa.types.is_map(kind):
        return map_numbers(column)
    return number_numbers(column)


def check(table, request):
    rows = table.scan().to_arrow()
    files = [task.file for task in table.scan().plan_files()]
    problems = []
    paths = [file.file_path for file in files]
    if len(set(paths)) != len(paths):
        problems.append("a data file is listed twice")
    counted = sum(file.record_count for file in files)
    if counted != rows.num_rows:
        problems.append(f"the manifests list {counted} rows, but a scan returns {rows.num_rows}")
    for path in paths:
        with table.io.new_input(path).open() as stream:
            stream.seek(0, 2)
            size = stream.tell()
        expected = next(file.file_size_in_bytes for file in files if file.file_path == path)
        if size != expected:
            problems.append(f"{path} has {size} bytes, but its manifest lists {expected}")
    filtered, pruned = None, None
    if request.get("filter"):
        scan = table.scan(row_filter=request["filter"])
        pruned = len(list(scan.plan_files()))
        filtered = scan.to_arrow().num_rows
    snapshot = table.current_snapshot()
    return {
        "rows": rows.num_rows,
        "distinctIds": pc.count_distinct(rows[request["id"]]).as_py(),
        "columns": {name: column_numbers(rows[name]) for name in rows.column_names},
        "location": table.location(),
        "metadataLocation": table.metadata_location,
        "snapshots": len(table.snapshots()),
        "currentSnapshotId": str(snapshot.snapshot_id) if snapshot else None,
        "files": len(files),
        "bytes": sum(file.file_size_in_bytes for file in files),
        "prunedFiles": pruned,
        "filteredRows": filtered,
        "problems": problems,
    }


WORDS = ["/", "/pricing", "/blog/größe", "naïve café", "東京", "emoji 🎈👩‍👩‍👧", "a'b\"c\\d", "tab\there", ""]


def value_of(field, row, chance):
    """A random value for a column. Optional columns are sometimes null; `twclid` always is."""
    kind, name = field.field_type, field.name
    if not field.required and (name == "twclid" or chance.random() < 0.25):
        return None
    if name == "site_id":
        return f"00000000-0000-4000-8000-00000000000{row % 3}"
    if name.endswith("_id") and isinstance(kind, StringType):
        return str(uuid.UUID(int=chance.getrandbits(128), version=4))
    if isinstance(kind, StringType):
        return chance.choice(WORDS) + (str(row) if chance.random() < 0.3 else "")
    if isinstance(kind, MapType):
        size = chance.randrange(4)
        return [(f"k{at}🔑", None if chance.random() < 0.2 else chance.choice(WORDS)) for at in range(size)]
    if isinstance(kind, DecimalType):
        return Decimal(chance.randrange(-10**9, 10**12)).scaleb(-kind.scale)
    if isinstance(kind, BooleanType):
        return chance.random() < 0.5
    if isinstance(kind, LongType):
        return chance.randrange(2**53, 2**62)
    if isinstance(kind, IntegerType):
        return chance.randrange(1, 6)
    if isinstance(kind, DateType):
        return (datetime(2026, 3, 28) + timedelta(days=row % 3)).date()
    if isinstance(kind, (TimestampType, TimestamptzType)):
        zone = timezone.utc if isinstance(kind, TimestamptzType) else None
        return datetime(2026, 3, 28, tzinfo=zone) + timedelta(days=row % 3, microseconds=chance.randrange(86_400_000_000))
    raise TypeError(f"no values for {kind}")


def append(table, request):
    fields = table.schema().fields
    start, count = request.get("start", 0), request["rows"]
    chance = random.Random(request.get("seed", start))
    rows = [{field.name: value_of(field, row, chance) for field in fields} for row in range(start, start + count)]
    target = schema_to_pyarrow(table.schema(), include_field_ids=False)
    table.append(pa.Table.from_pylist(rows, schema=target))


def expire(table, request):
    """Expires all snapshots except the current one."""
    current = table.current_snapshot()
    old = [each.snapshot_id for each in table.snapshots() if each.snapshot_id != current.snapshot_id]
    if old:
        table.maintenance.expire_snapshots().by_ids(old).commit()


def events_schema():
    fields = []

    def add(name, kind, required=False):
        fields.append(NestedField(len(fields) + 1, name, kind, required=required))

    for name in ["event_id", "site_id", "session_id", "visit_id"]:
        add(name, StringType(), True)
    add("event_time", TimestamptzType(), True)
    add("received_at", TimestamptzType(), True)
    add("event_type", IntegerType(), True)
    add("event_name", StringType())
    add("url_path", StringType(), True)
    for name in ["page_title", "tag", "twclid"]:
        add(name, StringType())
    add("revenue", DecimalType(19, 4))
    number = len(fields) + 1
    fields.append(NestedField(number, "properties", MapType(number + 1, StringType(), number + 2, StringType(), False)))
    return Schema(*fields)


def create(catalog, request):
    """Creates a table like ours: partitioned by day and site, with a map, decimals and microseconds."""
    try:
        catalog.create_namespace(request["table"].split(".")[0])
    except NamespaceAlreadyExistsError:
        pass
    schema = events_schema()
    at = lambda name: schema.find_field(name).field_id
    spec = PartitionSpec(
        PartitionField(at("event_time"), 1000, DayTransform(), "event_time_day"),
        PartitionField(at("site_id"), 1001, IdentityTransform(), "site_id"),
    )
    return catalog.create_table(request["table"], schema=schema, partition_spec=spec)


def main():
    request = json.load(sys.stdin)
    catalog = load_catalog(**request["catalog"])
    command = request["command"]
    if command == "create":
        table = create(catalog, request)
    else:
        table = catalog.load_table(request["table"])
    if command == "check":
        result = check(table, request)
    else:
        if command == "append":
            append(table, request)
        elif command == "expire":
            expire(table, request)
        elif command != "create":
            raise ValueError(f"unknown command {command}")
        table = catalog.load_table(request["table"])
        snapshot = table.current_snapshot()
        result = {
            "rows": int(snapshot.summary["total-records"]) if snapshot else 0,
            "snapshots": len(table.snapshots()),
            "metadataLocation": table.metadata_location,
        }
    print(json.dumps(result))


main()

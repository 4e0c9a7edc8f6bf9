"""Runs statements with ClickHouse's engine (chdb). Reads {"statements": [...]} from standard input and prints the rows of each statement, lists of strings, on the last line."""

import json
import sys

from chdb import session


def main():
    request = json.load(sys.stdin)
    database = session.Session()
    for name in ["quote_64bit_integers", "quote_decimals"]:
        database.query(f"SET output_format_json_{name} = 1")
    results = []
    for statement in request["statements"]:
        output = str(database.query(statement, "JSONCompactEachRow"))
        rows = [json.loads(line) for line in output.splitlines() if line]
        results.append([[None if value is None else str(value) for value in row] for row in rows])
    print(json.dumps({"results": results}))


main()

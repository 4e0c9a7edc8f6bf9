"""ClickHouse's engine (chdb) runs statements. {"statements": [...]} on standard input, on the last line the rows of each, a list of lists of texts."""

import json
import sys

from chdb import session


def main():
    request = json.load(sys.stdin)
    database = session.Session()
    for name in ["quote_64bit_integers", "quote_decimals"]:
        database.query(f"SET output_format_json_{name} = 1")
    answers = []
    for statement in request["statements"]:
        text = str(database.query(statement, "JSONCompactEachRow"))
        rows = [json.loads(line) for line in text.splitlines() if line]
        answers.append([[None if value is None else str(value) for value in row] for row in rows])
    print(json.dumps({"answers": answers}))


main()

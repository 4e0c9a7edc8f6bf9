"""Runs SQL on Iceberg tables with Spark. Reads {"conf": {...}, "jars": folder, "statements": [...]} from standard input and prints the rows of each statement, lists of strings, on the last line."""

import glob
import json
import sys

from pyspark.sql import SparkSession


def main():
    request = json.load(sys.stdin)
    builder = SparkSession.builder.master("local[2]").appName("footfall")
    builder = builder.config("spark.jars", ",".join(glob.glob(f"{request['jars']}/*.jar")))
    for name, value in request["conf"].items():
        builder = builder.config(name, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    results = []
    for statement in request["statements"]:
        rows = spark.sql(statement).collect()
        results.append([[None if value is None else str(value) for value in row] for row in rows])
    spark.stop()
    print(json.dumps({"results": results}))


main()

"""Spark runs SQL on Iceberg tables. {"conf": {...}, "jars": folder, "statements": [...]} on standard input; on the last line the rows of each, a list of lists of texts."""

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
    answers = []
    for statement in request["statements"]:
        rows = spark.sql(statement).collect()
        answers.append([[None if value is None else str(value) for value in row] for row in rows])
    spark.stop()
    print(json.dumps({"answers": answers}))


main()

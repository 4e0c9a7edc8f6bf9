import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.LocalDate;
import java.time.LocalDateTime;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.UUID;
import org.apache.hadoop.conf.Configuration;
import org.apache.iceberg.AppendFiles;
import org.apache.iceberg.CatalogUtil;
import org.apache.iceberg.DataFile;
import org.apache.iceberg.FileFormat;
import org.apache.iceberg.FileScanTask;
import org.apache.iceberg.HasTableOperations;
import org.apache.iceberg.ManifestFile;
import org.apache.iceberg.ManifestFiles;
import org.apache.iceberg.ManifestReader;
import org.apache.iceberg.PartitionKey;
import org.apache.iceberg.PartitionSpec;
import org.apache.iceberg.Schema;
import org.apache.iceberg.Snapshot;
import org.apache.iceberg.StructLike;
import org.apache.iceberg.Table;
import org.apache.iceberg.catalog.Catalog;
import org.apache.iceberg.catalog.Namespace;
import org.apache.iceberg.catalog.SupportsNamespaces;
import org.apache.iceberg.catalog.TableIdentifier;
import org.apache.iceberg.data.GenericRecord;
import org.apache.iceberg.data.IcebergGenerics;
import org.apache.iceberg.data.InternalRecordWrapper;
import org.apache.iceberg.data.Record;
import org.apache.iceberg.data.parquet.GenericParquetReaders;
import org.apache.iceberg.data.parquet.GenericParquetWriter;
import org.apache.iceberg.expressions.Expression;
import org.apache.iceberg.expressions.ExpressionParser;
import org.apache.iceberg.expressions.Expressions;
import org.apache.iceberg.io.CloseableIterable;
import org.apache.iceberg.io.DataWriter;
import org.apache.iceberg.io.InputFile;
import org.apache.iceberg.io.OutputFile;
import org.apache.iceberg.parquet.Parquet;
import org.apache.iceberg.types.Comparators;
import org.apache.iceberg.types.Conversions;
import org.apache.iceberg.types.Type;
import org.apache.iceberg.types.Types;
import org.apache.iceberg.util.DateTimeUtil;

/**
 * Runs a command on a table with Iceberg's Java library: check, append, expire, create. Reads a JSON request from standard
 * input: {"command", "catalog": {"name", "properties", "hadoop"}, "table", "id", "site", "time", "filter", "rows", "start"}.
 * The last line of output is the result. Exit code 1: the result lists problems. 2: there is no result.
 */
public class IceCheck {
  static final ObjectMapper JSON = new ObjectMapper();
  /** Files whose bounds are compared with their rows: reading files one by one takes much longer than a scan. */
  static final int FILES_IN_DETAIL = 50;
  /** Maximum number of scans by site. */
  static final int SITES = 20;

  final Table table;
  final JsonNode request;
  final Set<String> problems = new java.util.LinkedHashSet<>();

  IceCheck(Table table, JsonNode request) {
    this.table = table;
    this.request = request;
  }

  void problem(String form, Object... values) {
    problems.add(String.format(form, values));
  }

  // Values in Iceberg's internal representation, which bounds use.

  static Object internal(Object value) {
    if (value instanceof OffsetDateTime time) return DateTimeUtil.microsFromTimestamptz(time);
    if (value instanceof LocalDateTime time) return DateTimeUtil.microsFromTimestamp(time);
    if (value instanceof LocalDate date) return DateTimeUtil.daysFromDate(date);
    return value;
  }

  @SuppressWarnings("unchecked")
  static Comparator<Object> order(Type type) {
    if (type.typeId() == Type.TypeID.STRING) {
      return (a, b) -> Comparators.charSequences().compare((CharSequence) a, (CharSequence) b);
    }
    return (Comparator<Object>) (Comparator<?>) Comparators.forType(type.asPrimitiveType());
  }

  // Numbers of a column, as defined in numbers.ts.

  static final class Numbers {
    final Type type;
    long nonNull;
    long entries;
    long nullValues;
    long codePoints;
    long digest;
    BigDecimal sum = BigDecimal.ZERO;
    BigDecimal min;
    BigDecimal max;

    Numbers(Type type) {
      this.type = type;
    }

    void add(Object value) {
      if (value == null) return;
      nonNull++;
      if (type.typeId() == Type.TypeID.STRING) {
        String string = value.toString();
        codePoints += string.codePointCount(0, string.length());
        digest += digestOf(string);
      } else if (type.isMapType()) {
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
          entries++;
          String key = entry.getKey().toString();
          if (entry.getValue() == null) {
            nullValues++;
            digest += digestOf(key);
          } else {
            String string = entry.getValue().toString();
            codePoints += string.codePointCount(0, string.length());
            digest += digestOf(key + "=" + string);
          }
        }
      } else {
        Object inside = internal(value);
        BigDecimal number = inside instanceof BigDecimal decimal ? decimal
            : inside instanceof Boolean flag ? (flag ? BigDecimal.ONE : BigDecimal.ZERO)
            : BigDecimal.valueOf(((Number) inside).longValue());
        sum = sum.add(number);
        min = min == null || number.compareTo(min) < 0 ? number : min;
        max = max == null || number.compareTo(max) > 0 ? number : max;
      }
    }

    ObjectNode json() {
      ObjectNode node = JSON.createObjectNode();
      if (type.typeId() == Type.TypeID.STRING) {
        return node.put("kind", "string").put("nonNull", nonNull).put("codePoints", "" + codePoints).put("digest", "" + digest);
      }
      if (type.isMapType()) {
        return node.put("kind", "map").put("nonNull", nonNull).put("entries", entries).put("nullValues", nullValues)
            .put("codePoints", "" + codePoints).put("digest", "" + digest);
      }
      return node.put("kind", "number").put("nonNull", nonNull).put("sum", nonNull == 0 ? null : sum.toPlainString())
          .put("min", min == null ? null : min.toPlainString()).put("max", max == null ? null : max.toPlainString());
    }
  }

  static final MessageDigest MD5;

  static {
    try {
      MD5 = MessageDigest.getInstance("MD5");
    } catch (java.security.NoSuchAlgorithmException missing) {
      throw new IllegalStateException(missing);
    }
  }

  static long digestOf(String string) {
    return ByteBuffer.wrap(MD5.digest(string.getBytes(StandardCharsets.UTF_8))).getInt() >>> 4;
  }

  // Checks.

  List<DataFile> checkFiles() throws Exception {
    List<DataFile> files = new ArrayList<>();
    Set<String> paths = new HashSet<>();
    try (CloseableIterable<FileScanTask> tasks = table.newScan().includeColumnStats().planFiles()) {
      for (FileScanTask task : tasks) {
        DataFile file = task.file().copy();
        if (!paths.add(file.location())) problem("%s is listed twice", file.location());
        else files.add(file);
      }
    }
    for (DataFile file : files) {
      InputFile input = table.io().newInputFile(file.location());
      if (!input.exists()) problem("%s is missing", file.location());
      else if (input.getLength() != file.fileSizeInBytes()) {
        problem("%s has %d bytes, but its manifest lists %d", file.location(), input.getLength(), file.fileSizeInBytes());
      }
      List<Long> offsets = file.splitOffsets();
      if (offsets != null) {
        for (int at = 0; at < offsets.size(); at++) {
          long least = at == 0 ? 0 : offsets.get(at - 1) + 1;
          if (offsets.get(at) < least || offsets.get(at) >= file.fileSizeInBytes()) {
            problem("%s has invalid split offsets: %s", file.location(), offsets);
          }
        }
      }
    }
    return files;
  }

  /** Compares a file's counts, bounds and partition with its rows. */
  void checkFile(DataFile file) throws Exception {
    Schema schema = table.schema();
    PartitionSpec spec = table.specs().get(file.specId());
    PartitionKey key = new PartitionKey(spec, schema);
    InternalRecordWrapper wrapper = new InternalRecordWrapper(schema.asStruct());
    Comparator<StructLike> partitions = Comparators.forType(spec.partitionType());
    Map<Integer, Object> least = new HashMap<>();
    Map<Integer, Object> greatest = new HashMap<>();
    Map<Integer, Long> nulls = new HashMap<>();
    long rows = 0;
    boolean elsewhere = false;
    try (CloseableIterable<Record> records = Parquet.read(table.io().newInputFile(file.location())).project(schema)
        .createReaderFunc(read -> GenericParquetReaders.buildReader(schema, read)).build()) {
      for (Record record : records) {
        rows++;
        key.partition(wrapper.wrap(record));
        elsewhere |= partitions.compare(key, file.partition()) != 0;
        for (Types.NestedField field : schema.columns()) {
          Object value = record.getField(field.name());
          if (value == null) nulls.merge(field.fieldId(), 1L, Long::sum);
          else if (field.type().isPrimitiveType()) {
            Object inside = internal(value);
            Comparator<Object> order = order(field.type());
            least.merge(field.fieldId(), inside, (a, b) -> order.compare(a, b) <= 0 ? a : b);
            greatest.merge(field.fieldId(), inside, (a, b) -> order.compare(a, b) >= 0 ? a : b);
          }
        }
      }
    }
    String path = file.location();
    if (elsewhere) problem("%s has rows that do not belong to its partition %s", path, file.partition());
    if (rows != file.recordCount()) problem("%s has %d rows, but its manifest lists %d", path, rows, file.recordCount());
    for (Types.NestedField field : schema.columns()) {
      if (!field.type().isPrimitiveType()) continue;
      int id = field.fieldId();
      String what = path + " " + field.name();
      Long values = file.valueCounts() == null ? null : file.valueCounts().get(id);
      if (values != null && values != rows) problem("%s has %d values, but the manifest lists %d", what, rows, values);
      Long stated = file.nullValueCounts() == null ? null : file.nullValueCounts().get(id);
      long counted = nulls.getOrDefault(id, 0L);
      if (stated != null && stated != counted) problem("%s has %d nulls, but the manifest lists %d", what, counted, stated);
      Comparator<Object> order = order(field.type());
      Object lower = bound(field, file.lowerBounds());
      Object upper = bound(field, file.upperBounds());
      if (lower != null && least.get(id) != null && order.compare(lower, least.get(id)) > 0) {
        problem("%s: the lower bound %s is above %s", what, lower, least.get(id));
      }
      if (upper != null && greatest.get(id) != null && order.compare(upper, greatest.get(id)) < 0) {
        problem("%s: the upper bound %s is below %s", what, upper, greatest.get(id));
      }
    }
  }

  static Object bound(Types.NestedField field, Map<Integer, ByteBuffer> bounds) {
    ByteBuffer bytes = bounds == null ? null : bounds.get(field.fieldId());
    return bytes == null ? null : Conversions.fromByteBuffer(field.type(), bytes);
  }

  /** Compares each manifest's counts and partition ranges with its entries, and checks its length and sequence number. */
  void checkManifests(Snapshot snapshot) throws Exception {
    for (ManifestFile manifest : snapshot.dataManifests(table.io())) {
      String path = manifest.path();
      InputFile input = table.io().newInputFile(path);
      if (!input.exists()) {
        problem("%s is missing", path);
        continue;
      }
      if (input.getLength() != manifest.length()) {
        problem("%s has %d bytes, but the manifest list says %d", path, input.getLength(), manifest.length());
      }
      if (manifest.sequenceNumber() > snapshot.sequenceNumber()) {
        problem("%s has sequence number %d, above the snapshot's %d", path, manifest.sequenceNumber(), snapshot.sequenceNumber());
      }
      long files = 0;
      long rows = 0;
      PartitionSpec spec = table.specs().get(manifest.partitionSpecId());
      List<Types.NestedField> fields = spec.partitionType().fields();
      try (ManifestReader<DataFile> reader = ManifestFiles.read(manifest, table.io(), table.specs())) {
        for (DataFile file : reader) {
          files++;
          rows += file.recordCount();
          if (file.dataSequenceNumber() == null || file.dataSequenceNumber() > manifest.sequenceNumber()) {
            problem("%s: %s has data sequence number %s", path, file.location(), file.dataSequenceNumber());
          }
          for (int at = 0; manifest.partitions() != null && at < fields.size(); at++) {
            Object value = file.partition().get(at, Object.class);
            ManifestFile.PartitionFieldSummary range = manifest.partitions().get(at);
            Type type = fields.get(at).type();
            if (value == null) {
              if (!range.containsNull()) problem("%s has null values of %s, which its summary denies", path, fields.get(at).name());
            } else {
              Object low = range.lowerBound() == null ? null : Conversions.fromByteBuffer(type, range.lowerBound());
              Object high = range.upperBound() == null ? null : Conversions.fromByteBuffer(type, range.upperBound());
              if (low == null || high == null || order(type).compare(low, value) > 0 || order(type).compare(high, value) < 0) {
                problem("%s states a range of %s from %s to %s, but a file has %s", path, fields.get(at).name(), low, high, value);
              }
            }
          }
        }
      }
      long statedFiles = (long) manifest.addedFilesCount() + manifest.existingFilesCount();
      long statedRows = manifest.addedRowsCount() + manifest.existingRowsCount();
      if (files != statedFiles) problem("%s has %d files, but the manifest list says %d", path, files, statedFiles);
      if (rows != statedRows) problem("%s has %d rows, but the manifest list says %d", path, rows, statedRows);
    }
  }

  void checkSummary(Snapshot snapshot, long rows, List<DataFile> files) {
    Map<String, Long> actual = new LinkedHashMap<>();
    actual.put("total-records", files.stream().mapToLong(DataFile::recordCount).sum());
    actual.put("total-data-files", (long) files.size());
    actual.put("total-files-size", files.stream().mapToLong(DataFile::fileSizeInBytes).sum());
    actual.forEach((name, value) -> {
      String stated = snapshot.summary().get(name);
      boolean hasDeletes = !"0".equals(snapshot.summary().getOrDefault("total-delete-files", "0"));
      if (stated != null && !hasDeletes && Long.parseLong(stated) != value) {
        problem("the snapshot's summary says that %s is %s, but it is %d", name, stated, value);
      }
    });
    if (actual.get("total-records") != rows && "0".equals(snapshot.summary().getOrDefault("total-delete-files", "0"))) {
      problem("the manifests list %d rows, but a scan returns %d", actual.get("total-records"), rows);
    }
  }

  long count(Expression filter) throws Exception {
    long rows = 0;
    try (CloseableIterable<Record> records = IcebergGenerics.read(table).where(filter).build()) {
      for (Record ignored : records) rows++;
    }
    return rows;
  }

  /** Pruning must not drop rows: partial scans add up to all rows. */
  void checkPruning(Set<String> sites, String siteColumn, String timeColumn, Numbers times, long rows) throws Exception {
    if (siteColumn != null && sites.size() <= SITES) {
      long sum = 0;
      for (String site : sites) sum += count(Expressions.equal(siteColumn, site));
      if (sum != rows) problem("the scans by %s return %d of %d rows in total", siteColumn, sum, rows);
    }
    if (timeColumn != null && times != null && times.nonNull > 0) {
      long middle = times.sum.divideToIntegralValue(BigDecimal.valueOf(times.nonNull)).longValueExact();
      long sum = count(Expressions.lessThan(timeColumn, middle)) + count(Expressions.greaterThanOrEqual(timeColumn, middle));
      if (sum != rows) problem("the scans before and from the mean %s return %d of %d rows in total", timeColumn, sum, rows);
    }
  }

  ObjectNode check() throws Exception {
    ObjectNode result = JSON.createObjectNode();
    ObjectNode columns = JSON.createObjectNode();
    Schema schema = table.schema();
    String id = stringAt("id");
    String siteColumn = stringAt("site");
    String timeColumn = stringAt("time");
    Snapshot snapshot = table.currentSnapshot();
    List<DataFile> files = checkFiles();
    if (snapshot != null) checkManifests(snapshot);
    long rows = 0;
    Set<Object> ids = new HashSet<>();
    Set<String> sites = new TreeSet<>();
    Map<String, Numbers> numbers = new LinkedHashMap<>();
    for (Types.NestedField field : schema.columns()) numbers.put(field.name(), new Numbers(field.type()));
    try (CloseableIterable<Record> records = IcebergGenerics.read(table).build()) {
      for (Record record : records) {
        rows++;
        for (Types.NestedField field : schema.columns()) {
          Object value = record.getField(field.name());
          if (value == null && field.isRequired()) problem("the required column %s has a null value", field.name());
          numbers.get(field.name()).add(value);
        }
        if (id != null) ids.add(record.getField(id));
        if (siteColumn != null) sites.add(String.valueOf(record.getField(siteColumn)));
      }
      for (DataFile file : files.subList(0, Math.min(files.size(), FILES_IN_DETAIL))) checkFile(file);
      if (snapshot != null) checkSummary(snapshot, rows, files);
      checkPruning(sites, siteColumn, timeColumn, timeColumn == null ? null : numbers.get(timeColumn), rows);
    } catch (Exception | AssertionError failure) {
      problem("the rows cannot be read: %s", failure);
    }
    numbers.forEach((name, each) -> columns.set(name, each.json()));
    result.put("rows", rows).put("distinctIds", ids.size()).set("columns", columns);
    result.put("location", table.location()).put("metadataLocation", metadataLocation());
    result.put("snapshots", snapshots()).put("currentSnapshotId", snapshot == null ? null : "" + snapshot.snapshotId());
    result.put("files", files.size()).put("bytes", files.stream().mapToLong(DataFile::fileSizeInBytes).sum());
    result.putNull("prunedFiles").putNull("filteredRows");
    if (request.hasNonNull("filter")) {
      Expression filter = ExpressionParser.fromJson(request.get("filter").toString(), schema);
      long pruned = 0;
      try (CloseableIterable<FileScanTask> tasks = table.newScan().filter(filter).planFiles()) {
        for (FileScanTask ignored : tasks) pruned++;
      }
      result.put("prunedFiles", pruned);
      try {
        result.put("filteredRows", count(filter));
      } catch (Exception failure) {
        problem("the filtered rows cannot be read: %s", failure);
      }
    }
    ArrayNode list = result.putArray("problems");
    problems.forEach(list::add);
    return result;
  }

  String stringAt(String name) {
    return request.hasNonNull(name) ? request.get(name).asText() : null;
  }

  String metadataLocation() {
    return ((HasTableOperations) table).operations().current().metadataFileLocation();
  }

  int snapshots() {
    int count = 0;
    for (Snapshot ignored : table.snapshots()) count++;
    return count;
  }

  // Changes.

  static final String[] WORDS = {"/", "/pricing", "/blog/größe", "naïve café", "東京", "emoji 🎈👩‍👩‍👧", "a'b\"c\\d", "tab\there", ""};

  static Object randomValue(Types.NestedField field, long row, Random chance) {
    String name = field.name();
    if (field.isOptional() && (name.equals("twclid") || chance.nextInt(4) == 0)) return null;
    String word = WORDS[chance.nextInt(WORDS.length)];
    switch (field.type().typeId()) {
      case STRING:
        if (name.equals("site_id")) return "00000000-0000-4000-8000-00000000000" + row % 3;
        return name.endsWith("_id") ? new UUID(chance.nextLong(), chance.nextLong()).toString() : word;
      case INTEGER:
        return 1 + chance.nextInt(5);
      case LONG:
        return (1L << 53) + chance.nextInt();
      case BOOLEAN:
        return chance.nextBoolean();
      case DATE:
        return LocalDate.of(2026, 3, 28).plusDays(row % 3);
      case DECIMAL:
        return new BigDecimal(BigInteger.valueOf(chance.nextInt()), ((Types.DecimalType) field.type()).scale());
      case TIMESTAMP:
        LocalDateTime time = LocalDateTime.of(2026, 3, 28, 0, 0).plusDays(row % 3).plusNanos(chance.nextLong(86_400_000_000L) * 1000);
        return ((Types.TimestampType) field.type()).shouldAdjustToUTC() ? time.atOffset(ZoneOffset.UTC) : time;
      case MAP:
        Map<String, String> map = new LinkedHashMap<>();
        for (int at = chance.nextInt(4); at > 0; at--) map.put("k" + at + "🔑", chance.nextInt(5) == 0 ? null : word);
        return map;
      default:
        throw new IllegalArgumentException("no values for " + field.type());
    }
  }

  void append(long start, long rows) throws Exception {
    Schema schema = table.schema();
    Random chance = new Random(start + 7);
    Map<StructLike, List<Record>> partitions = new HashMap<>();
    PartitionKey key = new PartitionKey(table.spec(), schema);
    InternalRecordWrapper wrapper = new InternalRecordWrapper(schema.asStruct());
    for (long row = start; row < start + rows; row++) {
      Record record = GenericRecord.create(schema);
      for (Types.NestedField field : schema.columns()) record.setField(field.name(), randomValue(field, row, chance));
      key.partition(wrapper.wrap(record));
      partitions.computeIfAbsent(key.copy(), ignored -> new ArrayList<>()).add(record);
    }
    AppendFiles files = table.newAppend();
    for (Map.Entry<StructLike, List<Record>> part : partitions.entrySet()) {
      String location = table.locationProvider().newDataLocation(table.spec(), part.getKey(), UUID.randomUUID() + ".parquet");
      OutputFile output = table.io().newOutputFile(location);
      DataWriter<Record> writer = Parquet.writeData(output).forTable(table).createWriterFunc(GenericParquetWriter::create)
          .withPartition(part.getKey()).build();
      try (writer) {
        for (Record record : part.getValue()) writer.write(record);
      }
      files.appendFile(writer.toDataFile());
    }
    files.commit();
  }

  static Table create(Catalog catalog, TableIdentifier name) {
    Types.NestedField[] fields = {
      Types.NestedField.required(1, "event_id", Types.StringType.get()),
      Types.NestedField.required(2, "site_id", Types.StringType.get()),
      Types.NestedField.required(3, "event_time", Types.TimestampType.withZone()),
      Types.NestedField.required(4, "event_type", Types.IntegerType.get()),
      Types.NestedField.optional(5, "event_name", Types.StringType.get()),
      Types.NestedField.optional(6, "twclid", Types.StringType.get()),
      Types.NestedField.optional(7, "revenue", Types.DecimalType.of(19, 4)),
      Types.NestedField.optional(8, "properties", Types.MapType.ofOptional(9, 10, Types.StringType.get(), Types.StringType.get()))
    };
    Schema schema = new Schema(fields);
    Namespace namespace = name.namespace();
    if (catalog instanceof SupportsNamespaces namespaces && !namespaces.namespaceExists(namespace)) {
      namespaces.createNamespace(namespace);
    }
    return catalog.createTable(name, schema, PartitionSpec.builderFor(schema).day("event_time").identity("site_id").build());
  }

  static Map<String, String> map(JsonNode node) {
    Map<String, String> values = new HashMap<>();
    if (node != null) node.properties().forEach(each -> values.put(each.getKey(), each.getValue().asText()));
    return values;
  }

  static int run() throws Exception {
    JsonNode request = JSON.readTree(System.in);
    JsonNode settings = request.get("catalog");
    map(settings.get("system")).forEach(System::setProperty);
    Configuration hadoop = new Configuration();
    map(settings.get("hadoop")).forEach(hadoop::set);
    Catalog catalog = CatalogUtil.buildIcebergCatalog(settings.get("name").asText(), map(settings.get("properties")), hadoop);
    TableIdentifier name = TableIdentifier.parse(request.get("table").asText());
    String command = request.get("command").asText();
    Table table = command.equals("create") ? create(catalog, name) : catalog.loadTable(name);
    IceCheck check = new IceCheck(table, request);
    ObjectNode result;
    if (command.equals("check")) {
      result = check.check();
    } else {
      if (command.equals("append")) check.append(request.get("start").asLong(), request.get("rows").asLong());
      else if (command.equals("expire")) {
        table.expireSnapshots().expireOlderThan(System.currentTimeMillis()).retainLast(1).commit();
      } else if (!command.equals("create")) throw new IllegalArgumentException("unknown command " + command);
      table.refresh();
      Snapshot snapshot = table.currentSnapshot();
      result = JSON.createObjectNode()
          .put("rows", snapshot == null ? 0 : Long.parseLong(snapshot.summary().get("total-records")))
          .put("snapshots", check.snapshots()).put("metadataLocation", check.metadataLocation());
    }
    System.out.println(JSON.writeValueAsString(result));
    return check.problems.isEmpty() ? 0 : 1;
  }

  public static void main(String[] arguments) {
    int code = 2;
    try {
      code = run();
    } catch (Throwable failure) {
      failure.printStackTrace();
    }
    System.out.flush();
    // Open clients have threads that would keep the process alive.
    Runtime.getRuntime().halt(code);
  }
}

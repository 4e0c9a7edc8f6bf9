/** Whether a zone is a name of the IANA database. Abbreviations and offsets are ambiguous or ignore daylight saving time. */
export const isZone = (zone: string): boolean => {
  if (zone !== "UTC" && !/^[A-Za-z_]+(?:\/[A-Za-z0-9_+-]+)+$/.test(zone)) return false
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(zone)
    return true
  } catch {
    return false
  }
}

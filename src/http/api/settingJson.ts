import type { SettingState } from "../../ports/Settings.ts"
import type { SettingJson } from "./Api.ts"

/** A setting as the API and the command line show it. */
export const settingJson = ({ setting, value, source, note }: SettingState): SettingJson => ({
  name: setting.name,
  variable: setting.env,
  group: setting.group,
  value,
  source,
  note,
  default: setting.defaultText,
  accepts: setting.accepts,
  doc: setting.doc,
  secret: setting.secret,
  environment_only: setting.environmentOnly,
  live: setting.live
})

import { definedSettings, SETTING_GROUPS, type Setting } from "./Setting.ts"

export * from "./collect.ts"
export * from "./featureGate.ts"
export * from "./lake.ts"
export * from "./logging.ts"
export * from "./people.ts"
export * from "./questions.ts"
export { decodeSetting, SETTING_GROUPS, type Setting } from "./Setting.ts"
export * from "./security.ts"
export * from "./server.ts"
export * from "./sharing.ts"
export * from "./singleSignOn.ts"
export * from "./storage.ts"
export * from "./visitors.ts"
export * from "./warehouse.ts"

/** Every setting, in the order of the documentation. */
export const SETTINGS: ReadonlyArray<Setting<unknown>> = SETTING_GROUPS.flatMap((group) =>
  definedSettings().filter((setting) => setting.group === group)
)

/** A setting by its name, or by its variable's name in upper or lower case. */
export const findSetting = (name: string): Setting<unknown> | undefined => {
  const kebab = name.toLowerCase().replaceAll("_", "-")
  return SETTINGS.find((setting) => setting.name === kebab)
}

import { folderFiles, type SpoolFile, type SpoolFiles } from "../../../layers/spool/SpoolFiles.ts"

/** A spool's access to folders in which some operations of each created file are replaced. */
export const filesWith =
  (replace: (file: SpoolFile, name: string) => Partial<SpoolFile>) =>
  (folder: string): SpoolFiles => {
    const files = folderFiles(folder)
    return {
      ...files,
      create: async (name) => {
        const file = await files.create(name)
        return { ...file, ...replace(file, name) }
      }
    }
  }

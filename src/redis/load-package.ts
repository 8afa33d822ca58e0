import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** The package as it is installed beside the library, else beside the project that the command runs in; undefined: nowhere. */
export async function loadPackage<Module>(name: string): Promise<Module | undefined> {
  const inProject = createRequire(join(process.cwd(), 'package.json'));
  for (const find of [() => name, () => pathToFileURL(inProject.resolve(name)).href]) {
    try {
      return (await import(find())) as Module;
    } catch (error) {
      const code = (error as { readonly code?: unknown } | null)?.code;
      if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    }
  }
  return undefined;
}

// Does to the routes of examples/health/next what a build of Next.js does: evaluates each, and, as with `cacheComponents`, calls
// what answers a GET, with a request whose headers cannot be read yet.
import { readdirSync } from 'node:fs';

const app = new URL('../../../examples/health/next/app/', import.meta.url);
const files = readdirSync(app, { recursive: true, encoding: 'utf8' }).filter((file) =>
  file.endsWith('route.ts'),
);
const request = new Proxy(new Request('http://localhost'), {
  get(target, name) {
    if (name === 'headers') throw new Error('There is no request yet');
    return Reflect.get(target, name, target);
  },
});
let inVain = 0;
for (const file of files) {
  const { GET } = await import(new URL(file, app).href);
  await (async () => GET?.(request))().catch(() => {
    inVain += 1;
  });
}
console.log(`evaluated ${files.length} routes, and called ${inVain} in vain`);

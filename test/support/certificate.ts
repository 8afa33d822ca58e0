import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A certificate that signs itself, for localhost and 127.0.0.1, made for this test. */
export function makeCertificate() {
  const folder = mkdtempSync(join(tmpdir(), 'resilient-queue-tls-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const cert = join(folder, 'cert.pem');
  const key = join(folder, 'key.pem');
  const args =
    'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const names = 'subjectAltName=DNS:localhost,IP:127.0.0.1';
  execFileSync('openssl', [...args.split(' '), '-addext', names, '-keyout', key, '-out', cert], {
    stdio: 'ignore',
  });
  return { cert, key, ca: readFileSync(cert, 'utf8') };
}

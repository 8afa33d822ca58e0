import { readFileSync, statfsSync } from 'node:fs';

/** Whether LMDB can be trusted on a file system. */
export type Suitability =
  | { readonly verdict: 'suitable' }
  | { readonly verdict: 'risky' | 'refused'; readonly fileSystem: string; readonly why: string };

const NETWORK =
  'its locks and memory maps are not shared between machines, and a lost connection ends the process';
const FUSE = 0x65735546;

// The magic numbers of statfs(2) and linux/magic.h.
const refused: ReadonlyMap<number, string> = new Map([
  [0x6969, 'NFS'],
  [0x517b, 'SMB'],
  [0xfe534d42, 'SMB2'],
  [0xff534d42, 'CIFS'],
  [0x5346414f, 'AFS'],
  [0x6b414653, 'AFS'],
  [0x00c36400, 'Ceph'],
  [0x0bd00bd0, 'Lustre'],
  [0x01161970, 'GFS2'],
  [0x7461636f, 'OCFS2'],
  [0x47504653, 'GPFS'],
  [0x19830326, 'BeeGFS'],
  [0xaad7aaea, 'PanFS'],
  [0x73757245, 'Coda'],
  [0x564c, 'NCP'],
  [0x786f4256, 'a VirtualBox shared folder'],
  [0xbacbacbc, 'a VMware shared folder'],
]);

const risky: ReadonlyMap<number, { readonly name: string; readonly why: string }> = new Map([
  [FUSE, { name: 'FUSE', why: 'what is behind it may be a network, and its flushes may do nothing' }],
  [0x01021997, { name: '9p', why: 'it is a folder of another machine or of the host' }],
  [0x01021994, { name: 'tmpfs', why: 'it is memory: it does not outlive the machine' }],
  [0x858458f6, { name: 'ramfs', why: 'it is memory: it does not outlive the machine' }],
]);

/** What is behind FUSE, by the names that mounts have. */
const networkFuse =
  /^fuse\.(?:glusterfs|sshfs|s3fs|rclone|gcsfuse|ceph|ceph-fuse|goofys|curlftpfs|davfs|juicefs|blobfuse2?)$/i;

/** Judges a file system by the type that `statfs` says and, behind FUSE, by the name of its mount. */
export function judgeFileSystem(type: number, mountType?: string): Suitability {
  // Some platforms say it as a signed number.
  const magic = type >>> 0;
  const network = refused.get(magic);
  if (network !== undefined) return { verdict: 'refused', fileSystem: network, why: NETWORK };
  if (magic === FUSE && mountType !== undefined && networkFuse.test(mountType)) {
    return { verdict: 'refused', fileSystem: mountType, why: NETWORK };
  }
  const risk = risky.get(magic);
  if (risk) return { verdict: 'risky', fileSystem: risk.name, why: risk.why };
  return { verdict: 'suitable' };
}

/** Judges the file system that `folder` is on. Other systems than Linux number theirs otherwise: there it says suitable. */
export function fileSystemOf(folder: string): Suitability {
  if (process.platform !== 'linux') return { verdict: 'suitable' };
  const { type } = statfsSync(folder);
  return judgeFileSystem(type, type >>> 0 === FUSE ? mountTypeOf(folder) : undefined);
}

/** The type of the innermost mount that holds `folder`, an absolute path. */
function mountTypeOf(folder: string): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8').split('\n');
  let best: { readonly point: string; readonly type: string | undefined } = { point: '', type: undefined };
  for (const mount of mounts) {
    const [, escaped = '', type] = mount.split(' ');
    const point = escaped.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8)));
    const isAround = folder === point || folder.startsWith(point.endsWith('/') ? point : `${point}/`);
    if (isAround && point.length >= best.point.length) best = { point, type };
  }
  return best.type;
}

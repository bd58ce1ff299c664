import { promisify } from 'node:util';
import zlib from 'node:zlib';

const inflateRaw = promisify(zlib.inflateRaw);
const gunzip = promisify(zlib.gunzip);

/**
 * The first member of a zip file (a wheel is one) whose name matches. Reads stored and deflated members;
 * the sizes of zip64 (over 4 GiB) are refused.
 * @param {Buffer} zip
 * @param {RegExp} name
 * @returns {Promise<Buffer>}
 */
export async function unzipMember(zip, name) {
  for (const member of zipDirectory(zip)) {
    if (!name.test(member.name)) continue;
    // The local header repeats name and extra field, and its extra field may have another length.
    const start =
      member.header + 30 + zip.readUInt16LE(member.header + 26) + zip.readUInt16LE(member.header + 28);
    const data = zip.subarray(start, start + member.size);
    if (member.method === 0) return data;
    if (member.method === 8) return inflateRaw(data);
    throw new Error(`${member.name} is packed by method ${member.method}, which is not read here`);
  }
  throw new Error(`no member matches ${name}`);
}

/** @param {Buffer} zip */
function* zipDirectory(zip) {
  const end = zip.lastIndexOf('PK\x05\x06', undefined, 'latin1');
  if (end < 0 || end + 22 > zip.length) throw new Error('not a whole zip file');
  let at = zip.readUInt32LE(end + 16);
  if (at === 0xffffffff) throw new Error('zip64 is not read here');
  for (let left = zip.readUInt16LE(end + 10); left > 0; left--) {
    const nameLength = zip.readUInt16LE(at + 28);
    yield {
      method: zip.readUInt16LE(at + 10),
      size: zip.readUInt32LE(at + 20),
      header: zip.readUInt32LE(at + 42),
      name: zip.toString('utf8', at + 46, at + 46 + nameLength),
    };
    at += 46 + nameLength + zip.readUInt16LE(at + 30) + zip.readUInt16LE(at + 32);
  }
}

/**
 * The plain files of a .tar.gz, in order. Folders and links are left out; a path that leads out of the
 * archive is refused.
 * @param {Buffer} archive
 * @returns {Promise<{ path: string, mode: number, data: Buffer }[]>}
 */
export async function untar(archive) {
  const tar = await gunzip(archive);
  const files = [];
  let longName;
  for (let at = 0; at + 512 <= tar.length;) {
    const head = tar.subarray(at, at + 512);
    if (head[0] === 0) break; // an empty block ends the archive
    const size = octal(head, 124, 12);
    const data = tar.subarray(at + 512, at + 512 + size);
    if (data.length < size) throw new Error('the tar file is cut short');
    const type = String.fromCharCode(head[156] ?? 0);
    if (type === 'x') longName = paxPath(data);
    else {
      const path = longName ?? [text(head, 345, 155), text(head, 0, 100)].filter(Boolean).join('/');
      longName = undefined;
      if (type === '0' || type === '\0')
        files.push({ path: insideOnly(path), mode: octal(head, 100, 8), data });
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}

/**
 * Names over 100 bytes stand in a record of their own before the file: lines of "<length> key=value".
 * @param {Buffer} record
 */
function paxPath(record) {
  return /(?:^|\n)\d+ path=([^\n]*)/.exec(record.toString('utf8'))?.[1];
}

/** @param {string} path */
function insideOnly(path) {
  if (path.startsWith('/') || path.split('/').includes('..'))
    throw new Error(`${path} leads out of the archive`);
  return path;
}

/**
 * @param {Buffer} head
 * @param {number} start
 * @param {number} length
 */
function text(head, start, length) {
  const field = head.subarray(start, start + length);
  const end = field.indexOf(0);
  return field.toString('utf8', 0, end < 0 ? length : end);
}

/**
 * @param {Buffer} head
 * @param {number} start
 * @param {number} length
 */
function octal(head, start, length) {
  return parseInt(text(head, start, length), 8) || 0;
}

import { describe, expect, it } from 'vitest';
import zlib from 'node:zlib';
import { untar, unzipMember } from '../../services/archive.mjs';

/**
 * A zip file of these members, written by hand so that each field is known.
 * @param {{ name: string, data: string, method?: number, extra?: Buffer }[]} members
 */
function zip(members) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const { name, data, method = 8, extra = Buffer.alloc(0) } of members) {
    const packed = method === 8 ? zlib.deflateRawSync(data) : Buffer.from(data);
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(method, 8);
    local.writeUInt16LE(name.length, 26);
    local.writeUInt16LE(extra.length, 28);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(packed.length, 20);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(offset, 42);
    parts.push(local, Buffer.from(name), extra, packed);
    directory.push(central, Buffer.from(name));
    offset += 30 + name.length + extra.length + packed.length;
  }
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  end.writeUInt16LE(members.length, 10);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, ...directory, end]);
}

/**
 * One entry of a tar file.
 * @param {string} name
 * @param {string} data
 * @param {{ type?: string, mode?: string, prefix?: string }} [options]
 */
function tarEntry(name, data, { type = '0', mode = '0000644', prefix = '' } = {}) {
  const head = Buffer.alloc(512);
  head.write(name, 0);
  head.write(mode, 100);
  head.write(data.length.toString(8).padStart(11, '0'), 124);
  head.write(type, 156);
  head.write(prefix, 345);
  const body = Buffer.alloc(Math.ceil(data.length / 512) * 512);
  body.write(data);
  return Buffer.concat([head, body]);
}

/** @param {Buffer[]} entries */
const tarball = (...entries) => zlib.gzipSync(Buffer.concat([...entries, Buffer.alloc(1024)]));

describe('unzipMember', () => {
  const bytes = zip([
    { name: 'a/readme', data: 'words' },
    { name: 'a/scripts/program', data: 'x'.repeat(10_000) },
    { name: 'b/scripts/program', data: 'second', method: 0, extra: Buffer.from('extra') },
  ]);

  it.each([
    ['a deflated member', /^a\/scripts\/program$/, 'x'.repeat(10_000)],
    ['a stored member behind an extra field', /^b\//, 'second'],
    ['the first of several that match', /program$/, 'x'.repeat(10_000)],
  ])('reads %s', async (_what, name, data) => {
    expect((await unzipMember(bytes, name)).toString()).toBe(data);
  });

  it.each([
    ['a name that is not there', bytes, /absent/, 'no member matches /absent/'],
    ['a file that is cut short', bytes.subarray(0, 100), /program/, 'not a whole zip file'],
    ['an unknown packing', zip([{ name: 'p', data: 'x', method: 12 }]), /p/, 'packed by method 12'],
  ])('refuses %s', async (_what, file, name, message) => {
    await expect(unzipMember(file, name)).rejects.toThrow(message);
  });
});

describe('untar', () => {
  it('reads the plain files of an archive, with their modes and long names', async () => {
    const longName = `package/${'long/'.repeat(30)}file`;
    const record = (/** @type {string} */ line) => `${line.length + 4} ${line}\n`;
    const archive = tarball(
      tarEntry('package/', '', { type: '5' }),
      tarEntry('package/bin/tool', 'code', { mode: '0000755' }),
      tarEntry('name', 'under a prefix', { prefix: 'package/share' }),
      tarEntry('package/link', '', { type: '2' }),
      tarEntry('pax', record(`path=${longName}`), { type: 'x' }),
      tarEntry('package/cut-off-name', 'long'),
      tarEntry('package/after', 'short again'),
    );
    const files = await untar(archive);
    expect(files.map(({ path, mode, data }) => [path, mode, data.toString()])).toEqual([
      ['package/bin/tool', 0o755, 'code'],
      ['package/share/name', 0o644, 'under a prefix'],
      [longName, 0o644, 'long'],
      ['package/after', 0o644, 'short again'],
    ]);
  });

  it.each([
    ['an absolute path', tarball(tarEntry('/etc/passwd', 'x')), '/etc/passwd leads out of the archive'],
    ['a path upwards', tarball(tarEntry('package/../../x', 'x')), 'leads out of the archive'],
    ['a file that is cut short', zlib.gzipSync(tarEntry('f', 'x'.repeat(600)).subarray(0, 700)), 'cut short'],
    ['what is no gzip file', Buffer.from('not found'), 'incorrect header check'],
  ])('refuses %s', async (_what, archive, message) => {
    await expect(untar(archive)).rejects.toThrow(message);
  });
});

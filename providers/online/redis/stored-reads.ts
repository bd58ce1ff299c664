import { ByteWriter } from '../../../feast/byte-writer.js';
import { EntityKeySerializer } from '../../../feast/entity-key.js';
import type { EntityKeyVersion } from '../../../definitions/provider.js';
import { featureField, projectSuffix, timestampField } from '../../../feast/redis-layout.js';
import type { OnlineRead, OnlineView, StoredRows } from '../provider.js';
import type { Answer, Asked } from './reply-scanner.js';

const CRLF = Uint8Array.of(0x0d, 0x0a);

/** Reads that go with one HMGET an entity: views with the same join keys, asked for the same entities. */
interface Group {
  readonly keys: OnlineRead['keys'];
  readonly knownView: KnownView;
  /** Places of the reads in what was asked for. */
  readonly reads: number[];
  readonly tails: Uint8Array[];
  fields: number;
}

interface KnownView {
  readonly serializer: EntityKeySerializer;
  readonly project: Uint8Array;
  /** Views with the same text have the same keys in the store. */
  readonly sharing: string;
  /** The fields of a list of features, encoded. */
  readonly tails: WeakMap<readonly string[], Uint8Array>;
}

/** Turns reads of several views into pipelined HMGETs, and places of answers into rows. */
export class StoredReads {
  readonly #version: EntityKeyVersion;
  readonly #views = new WeakMap<OnlineView, KnownView>();
  readonly #wire = new ByteWriter(1 << 14);
  readonly #key = new ByteWriter(256);

  constructor(version: EntityKeyVersion) {
    this.#version = version;
  }

  /** Asks for the reads by `ask`, one call a group, all at once. */
  async read(
    reads: readonly OnlineRead[],
    ask: (wire: Buffer, asked: Asked) => Promise<Answer>,
  ): Promise<StoredRows[]> {
    const rows: StoredRows[] = [];
    await Promise.all(
      this.#groups(reads).map(async (group) => {
        const { fields, keys } = group;
        const { bytes, at } =
          keys.length === 0
            ? { bytes: Buffer.alloc(0), at: new Int32Array(0) }
            : await ask(this.#encode(group), { replies: keys.length, fields });
        let first = 0;
        for (const place of group.reads) {
          rows[place] = { bytes, at, first, stride: fields * 2 };
          first += 2 * (1 + (reads[place]?.features.length ?? 0));
        }
      }),
    );
    return rows;
  }

  #groups(reads: readonly OnlineRead[]): Group[] {
    const groups: Group[] = [];
    for (const [i, { view, keys, features }] of reads.entries()) {
      const known = this.#known(view);
      let group = groups.find((g) => g.keys === keys && g.knownView.sharing === known.sharing);
      if (!group) groups.push((group = { keys, knownView: known, reads: [], tails: [], fields: 0 }));
      group.reads.push(i);
      group.tails.push(tailOf(known, view, features));
      group.fields += 1 + features.length;
    }
    return groups;
  }

  #encode({ keys, knownView: { serializer, project }, tails, fields }: Group): Buffer {
    const wire = this.#wire;
    const key = this.#key;
    wire.reset();
    const head = `*${2 + fields}\r\n$5\r\nHMGET\r\n$`;
    for (const values of keys) {
      key.reset();
      serializer.writeValues(key, values);
      key.raw(project);
      wire.utf8(head);
      wire.utf8(`${key.length}\r\n`);
      wire.raw(key.bytes.subarray(0, key.length));
      wire.raw(CRLF);
      for (const tail of tails) wire.raw(tail);
    }
    return Buffer.from(wire.take().buffer);
  }

  #known(view: OnlineView): KnownView {
    const found = this.#views.get(view);
    if (found) return found;
    const { joinKeys, project } = view;
    const known: KnownView = {
      serializer: new EntityKeySerializer(joinKeys, this.#version),
      project: projectSuffix(project),
      sharing: JSON.stringify([project, joinKeys.map(({ name, type }) => [name, type])]),
      tails: new WeakMap(),
    };
    this.#views.set(view, known);
    return known;
  }
}

function tailOf(known: KnownView, view: OnlineView, features: readonly string[]): Uint8Array {
  const found = known.tails.get(features);
  if (found) return found;
  const writer = new ByteWriter();
  for (const field of [timestampField(view.name), ...features.map((name) => featureField(view.name, name))]) {
    writer.utf8(`$${field.length}\r\n`);
    writer.raw(field);
    writer.raw(CRLF);
  }
  const tail = writer.take();
  known.tails.set(features, tail);
  return tail;
}

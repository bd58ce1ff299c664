import { ByteWriter } from '../../../feast/byte-writer.js';
import type { EntityKeySerializer } from '../../../feast/entity-key.js';
import { featureField, timestampField } from '../../../feast/redis-layout.js';
import { decodeTimestamp } from '../../../feast/timestamp.js';
import { decodeValue } from '../../../feast/value-decoder.js';
import type { OnlineRead, OnlineRow } from '../provider.js';
import { ORDER_BYTES, orderField, readOrder } from './order.js';

/** One view's side of an HMGET: the key of an entity, the fields, and what their values say. */
export interface RowCodec {
  readonly fields: readonly Buffer[];
  key(values: readonly unknown[]): Buffer;
  row(reply: readonly (Buffer | null)[]): OnlineRow | undefined;
}

export function rowCodec(
  { view, features }: Pick<OnlineRead, 'view' | 'features'>,
  { keys, project }: { readonly keys: EntityKeySerializer; readonly project: Uint8Array },
): RowCodec {
  const types = new Map(view.features.map(({ name, type }) => [name, type]));
  const writer = new ByteWriter();
  return {
    fields: [
      Buffer.from(timestampField(view.name)),
      Buffer.from(orderField(view.name)),
      ...features.map((feature) => Buffer.from(featureField(view.name, feature))),
    ],
    key(values) {
      writer.reset();
      keys.writeValues(writer, values);
      writer.raw(project);
      return Buffer.from(writer.take());
    },
    row([timestamp, mark, ...values]) {
      if (!timestamp) return undefined;
      return {
        values: values.map((value, i) => {
          const name = features[i] ?? '';
          const type = types.get(name);
          return value && type ? decodeValue(type, value, `The feature ${view.name}:${name}`) : undefined;
        }),
        eventTime: decodeTimestamp(timestamp),
        order: mark && timestamp.equals(mark.subarray(ORDER_BYTES)) ? readOrder(mark) : undefined,
      };
    },
  };
}

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Timestamp } from '../../definitions/timestamp.js';
import type { ScalarType, ValueType } from '../../definitions/types.js';
import { type JoinKey, EntityKeySerializer } from '../../feast/entity-key.js';
import { featureField, redisKey, timestampField } from '../../feast/redis-layout.js';
import { storedKeyMatcher } from '../../feast/stored-key.js';
import { decodeTimestamp, encodeTimestamp } from '../../feast/timestamp.js';
import { encodeValue } from '../../feast/value.js';
import { decodeValue } from '../../feast/value-decoder.js';
import { hex, unhex } from './hex.js';

/** Vectors made by running the Feast 0.67 SDK; they are not part of this repository. */
const folder = process.env['GRANARY_CASES'];

interface Entity {
  readonly joinKey: string;
  readonly type: string;
  readonly value: string;
}
interface Vectors {
  readonly entityKeys: readonly {
    readonly name: string;
    readonly version: 2 | 3;
    readonly project: string;
    readonly entity: readonly Entity[];
    readonly serializedEntityKeyHex: string;
    readonly redisKeyHex: string;
  }[];
  readonly featureFields: readonly {
    readonly view: string;
    readonly feature: string;
    readonly fieldHex: string;
  }[];
  readonly timestamps: readonly {
    readonly seconds: string;
    readonly nanos: number;
    readonly protoHex: string;
  }[];
  readonly values: readonly {
    readonly valueType: string;
    readonly label: string;
    readonly input: unknown;
    readonly protoHex: string;
    readonly decodedByFeast: unknown;
  }[];
  readonly rows: readonly {
    readonly name: string;
    readonly project: string;
    readonly entityKeySerializationVersion: 2 | 3;
    readonly view: string;
    readonly entity: readonly Entity[];
    readonly eventTimestamp: string;
    readonly features: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
    readonly redis: readonly {
      readonly redisKeyHex: string;
      readonly fields: readonly { readonly fieldHex: string; readonly valueHex: string }[];
    }[];
  }[];
}

const FEAST_TYPES: Readonly<Record<string, ScalarType>> = {
  BYTES: 'bytes',
  STRING: 'string',
  INT32: 'int32',
  INT64: 'int64',
  DOUBLE: 'float64',
  FLOAT: 'float32',
  BOOL: 'bool',
  UNIX_TIMESTAMP: 'timestamp',
};
/** What the store does not write: Feast's types that no Granary type maps to. */
const OUT_OF_SCOPE = new Set([
  'STRING_SET',
  'INT64_SET',
  'MAP',
  'MAP_LIST',
  'JSON',
  'JSON_LIST',
  'STRUCT',
  'UUID',
  'UUID_LIST',
  'DECIMAL',
  'DECIMAL_LIST',
  'VALUE_LIST',
  'SCALAR_MAP',
  'ZONED_TIMESTAMP',
]);
/** Read, but never written: by Feast's materialization neither. */
const READ_ONLY = /^(explicit null_val|NaT sentinel)/;

const typeOf = (feast: string): ValueType => {
  const list = feast.endsWith('_LIST');
  const scalar = FEAST_TYPES[feast.replace(/_LIST$/, '')];
  if (!scalar) throw new Error(`no type for ${feast}`);
  return list ? `list<${scalar}>` : scalar;
};

function jsValue(type: ScalarType, value: unknown): unknown {
  if (value === null || value === 'NaT') return null;
  if (typeof value === 'boolean') return value;
  const text = typeof value === 'number' ? JSON.stringify(value) : (value as string);
  switch (type) {
    case 'bytes':
      return unhex(text.replace(/^hex:/, ''));
    case 'int64':
      return BigInt(text);
    case 'timestamp':
      return /^-?\d+$/.test(text) ? BigInt(text) * 1_000_000n : Timestamp.from(text).micros;
    case 'int32':
      return Number(text);
    case 'float32':
    case 'float64':
      return text === 'inf' ? Infinity : text === 'nan' ? NaN : Number(text);
    case 'string':
    case 'bool':
      return value;
  }
}

function columnValue(type: ValueType, value: unknown): unknown {
  const item = type.startsWith('list<') ? (type.slice(5, -1) as ScalarType) : undefined;
  if (item && Array.isArray(value)) return value.map((v) => jsValue(item, v));
  return jsValue(type as ScalarType, value);
}

const keysOf = (entity: readonly Entity[]): JoinKey[] =>
  entity.map(({ joinKey, type }) => ({ name: joinKey, type: FEAST_TYPES[type] ?? 'bool' }));
const keyBytes = (entity: readonly Entity[], version: 2 | 3): Uint8Array =>
  new EntityKeySerializer(keysOf(entity), version).serialize(
    entity.map(({ type, value }) => jsValue(FEAST_TYPES[type] ?? 'bool', value)),
  );

if (folder === undefined) {
  describe('the vectors of Feast', () => {
    it.skip('are skipped: GRANARY_CASES names no folder with feast-redis-vectors.json', () => {});
  });
} else {
  const vectors = JSON.parse(readFileSync(join(folder, 'feast-redis-vectors.json'), 'utf8')) as Vectors;

  describe('entity keys as Feast writes them', () => {
    for (const vector of vectors.entityKeys) {
      it(`${vector.name}, version ${vector.version}`, () => {
        const key = keyBytes(vector.entity, vector.version);
        expect(hex(key)).toBe(vector.serializedEntityKeyHex);
        expect(hex(redisKey(key, vector.project))).toBe(vector.redisKeyHex);
      });
      it(`${vector.name}, version ${vector.version}: is known as its project's, and as no other's`, () => {
        const joinKeys = vector.entity.map(({ joinKey }) => ({ name: joinKey }));
        const key = Buffer.from(vector.redisKeyHex, 'hex');
        expect(storedKeyMatcher(joinKeys, vector.project)(key)).toBe(true);
        for (const other of [vector.project.slice(1), `x${vector.project}`, ''])
          expect(storedKeyMatcher(joinKeys, other)(key)).toBe(false);
        expect(storedKeyMatcher([...joinKeys, { name: 'more' }], vector.project)(key)).toBe(false);
      });
    }
  });

  describe('field names as Feast hashes them', () => {
    it.each(vectors.featureFields.map((v) => [`${v.view}:${v.feature}`, v] as const))('%s', (_, vector) => {
      expect(hex(featureField(vector.view, vector.feature))).toBe(vector.fieldHex);
    });
  });

  describe('timestamps as Feast writes them', () => {
    it.each(vectors.timestamps.map((v) => [`${v.seconds} s ${v.nanos} ns`, v] as const))(
      '%s',
      (_, vector) => {
        const micros = BigInt(vector.seconds) * 1_000_000n + BigInt(vector.nanos) / 1000n;
        expect(hex(encodeTimestamp(micros))).toBe(vector.protoHex);
        expect(decodeTimestamp(unhex(vector.protoHex))).toBe(micros);
      },
    );
  });

  describe('values as Feast writes them', () => {
    for (const vector of vectors.values) {
      const name = `${vector.label} ${JSON.stringify(vector.input)}`;
      if (OUT_OF_SCOPE.has(vector.valueType)) {
        it.skip(`${name}: the type ${vector.valueType} is out of scope`, () => {});
        continue;
      }
      it(name, () => {
        const readOnly = READ_ONLY.test(vector.label);
        const type = vector.valueType === 'NULL' ? 'int64' : typeOf(vector.valueType);
        if (!readOnly) expect(hex(encodeValue(type, columnValue(type, vector.input)))).toBe(vector.protoHex);
        const decoded = vector.valueType === 'NULL' ? null : columnValue(type, vector.decodedByFeast);
        expect(decodeValue(type, unhex(vector.protoHex))).toEqual(decoded);
      });
    }
  });

  describe('whole rows as Feast writes them', () => {
    for (const row of vectors.rows) {
      it(row.name, () => {
        const stored = row.redis.find(
          ({ redisKeyHex }) =>
            redisKeyHex ===
            hex(redisKey(keyBytes(row.entity, row.entityKeySerializationVersion), row.project)),
        );
        const fields = new Map(stored?.fields.map(({ fieldHex, valueHex }) => [fieldHex, valueHex]));
        expect(fields.get(hex(timestampField(row.view)))).toBe(
          hex(encodeTimestamp(Timestamp.from(row.eventTimestamp).micros)),
        );
        for (const [feature, value] of Object.entries(row.features))
          expect([feature, fields.get(hex(featureField(row.view, feature)))]).toEqual([
            feature,
            oneofHex(value),
          ]);
      });
    }
  });
}

/** The bytes of a value that is given by its protobuf field: `{ "int64_val": "17" }`. */
function oneofHex(value: Readonly<Record<string, unknown>>): string {
  const [field, content] = Object.entries(value)[0] ?? [];
  if (field === undefined) return '';
  const type = typeOf(field.replace(/_val$/, '').toUpperCase());
  const list = (content as { readonly val?: readonly unknown[] }).val ?? [];
  // The fields hold seconds; columns hold microseconds.
  return hex(encodeValue(type, columnValue(type, type.startsWith('list<') ? list : content)));
}

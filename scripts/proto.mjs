#!/usr/bin/env node
import './node-version.mjs';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  file_google_protobuf_duration,
  file_google_protobuf_timestamp,
  FileDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt';
import protobuf from 'protobufjs';
import descriptor from 'protobufjs/ext/descriptor.js';
import { repository } from '../services/layout.mjs';

const source = path.join(repository, 'feast', 'registry.proto');
const plugin = path.join(repository, 'node_modules', '.bin', 'protoc-gen-es');

const PACKAGE = 'feast.core';

/** @typedef {import('@bufbuild/protobuf/wkt').DescriptorProto} Message */

/**
 * @param {protobuf.Root} root
 * @returns {{ file: { package?: string }[] }}
 */
function descriptorsOf(root) {
  // The extension adds the method; its types do not say so.
  const extended = /** @type {{ toDescriptor: (syntax: string) => { file: { package?: string }[] } }} */ (
    /** @type {unknown} */ (root)
  );
  return extended.toDescriptor('proto3');
}

/**
 * The whole names of messages and of those within them.
 * @param {readonly Message[]} messages
 * @param {string} scope
 * @returns {string[]}
 */
const namesOf = (messages, scope) =>
  messages.flatMap(({ name, nestedType }) => [
    `${scope}.${name}`,
    ...namesOf(nestedType, `${scope}.${name}`),
  ]);

/**
 * Gives each field the whole name of its type, and its name in JSON: protobufjs writes the former as it stands in the file, and the latter only where it
 * differs; a generator needs both.
 * @param {readonly Message[]} messages
 * @param {ReadonlySet<string>} known
 * @param {string} scope
 */
function qualify(messages, known, scope) {
  for (const { name, field, nestedType } of messages) {
    const inner = `${scope}.${name}`;
    for (const one of field) {
      if (one.jsonName === '') one.jsonName = one.name;
      if (one.typeName === '' || one.typeName.startsWith('.')) continue;
      let at = inner;
      while (at !== '' && !known.has(`${at}.${one.typeName}`)) at = at.slice(0, at.lastIndexOf('.'));
      one.typeName = `${at}.${one.typeName}`;
    }
    qualify(nestedType, known, inner);
  }
}

/**
 * `npm run proto [folder]`: makes feast/registry_pb.ts of feast/registry.proto, in place or in another folder. The compiler is
 * protobufjs's parser, which needs no binary of the platform; the generator protobuf-es's own.
 * @param {string} folder
 */
function generate(folder) {
  const root = new protobuf.Root();
  for (const name of ['timestamp', 'duration']) {
    const known = protobuf.common.get(`google/protobuf/${name}.proto`);
    root.addJSON(known?.nested ?? {});
  }
  protobuf.parse(fs.readFileSync(source, 'utf8'), root, { keepCase: true });
  root.resolveAll();
  const { file: files } = descriptorsOf(root);
  const own = files.find((file) => file.package === PACKAGE);
  if (!own) throw new Error(`${source} declares no package ${PACKAGE}`);
  const file = fromBinary(FileDescriptorProtoSchema, descriptor.FileDescriptorProto.encode(own).finish());
  qualify(file.messageType, new Set(namesOf(file.messageType, `.${PACKAGE}`)), `.${PACKAGE}`);
  file.name = 'registry.proto';
  file.syntax = 'proto3';
  file.dependency = ['google/protobuf/duration.proto', 'google/protobuf/timestamp.proto'];
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: ['registry.proto'],
    parameter: 'target=ts,import_extension=js',
    protoFile: [file_google_protobuf_duration.proto, file_google_protobuf_timestamp.proto, file],
  });
  const { status, stdout, stderr } = spawnSync(process.execPath, [fs.realpathSync(plugin)], {
    input: toBinary(CodeGeneratorRequestSchema, request),
    maxBuffer: 1 << 26,
  });
  const response = status === 0 ? fromBinary(CodeGeneratorResponseSchema, stdout) : undefined;
  if (!response || response.error) throw new Error(`protoc-gen-es: ${response?.error || stderr.toString()}`);
  for (const { name, content } of response.file) fs.writeFileSync(path.join(folder, name), content);
}

generate(process.argv[2] ?? path.join(repository, 'feast'));

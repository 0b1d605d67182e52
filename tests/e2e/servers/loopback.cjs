// Keeps a Node server on loopback that would listen on every interface: `node --require loopback.cjs SERVER`.
// Must not know: which server.

const { Server } = require('node:net');

const listen = Server.prototype.listen;
Server.prototype.listen = function (port, ...rest) {
  return listen.call(this, { host: '127.0.0.1', port: Number(port) }, rest.find((one) => typeof one === 'function'));
};
